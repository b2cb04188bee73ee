"""A whole bundle of made-up models and a few real sounding articles; loads in a moment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import torch

from deployment.bundle.build import make_bundle
from deployment.bundle.format import Bundle
from retrieval.config.schema import CrossEncoderConfig, TrainingConfig
from retrieval.models.bi_encoder import BiEncoder, load_bi_encoder
from retrieval.models.cross_encoder import CrossEncoder, cross_encoder_from
from retrieval.records import Article, Corpus, Passage
from retrieval.runtime import Runtime
from retrieval.search.embedding import embed_corpus
from retrieval.search.retriever import Retriever
from retrieval.search.settings import RetrieverSettings
from tests.helpers.tiny_models import sentences, write_multilingual_encoder

QUESTION = "Người lao động được nghỉ hằng năm mấy ngày?"
ARTICLES = 24


def tiny_corpus(articles: int = ARTICLES) -> Corpus:
    """Articles of one passage each, the first about annual leave."""
    bodies = [
        "Người lao động được nghỉ hằng năm theo quy định.",
        *(text.replace("_", " ") for text in sentences(60, 7)),
    ]
    made = tuple(
        Article(f"1/2020/QH14:{n}", f"Điều {n}", bodies[n - 1], "Bộ luật thử", ("Chương I",))
        for n in range(1, articles + 1)
    )
    return Corpus(made, tuple(Passage(one.cid, 0, one.body) for one in made), tuple("" for _ in made))


def tiny_encoder(folder: Path, hidden: int = 32) -> BiEncoder:
    """A made-up encoder, with layer norms as in a real one, lest every vector be the same."""
    write_multilingual_encoder(folder, hidden=hidden)
    encoder = load_bi_encoder(folder)
    with torch.no_grad():
        for name, parameter in cast(torch.nn.Module, encoder.backbone).named_parameters():
            if "LayerNorm" in name:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
    encoder.settings = replace(encoder.settings, normalize=True, training_run_id="run-1", data_version="data-1")
    return encoder


def tiny_cross_encoder(encoder: BiEncoder, logit_shift: float = 0.0) -> CrossEncoder:
    """A reranker that reads texts apart in its two lowest layers, as the quickstart's does in nine."""
    training = TrainingConfig(epochs=1, freeze_layers=2)
    config = CrossEncoderConfig(separate_frozen_layers=True, max_tokens=40, max_query_tokens=12, training=training)
    made = cross_encoder_from(config, encoder)
    made.settings = replace(made.settings, training_run_id="run-2")
    with torch.no_grad():
        made.head.get_parameter("out.bias").add_(logit_shift)
    return made


def tiny_retriever(folder: Path, rerank: bool = True, hidden: int = 32, logit_shift: float = 0.0) -> Retriever:
    """Both made-up models over the made-up articles."""
    runtime, corpus = Runtime(torch.device("cpu"), torch.float32, 2), tiny_corpus()
    encoder = tiny_encoder(folder, hidden)
    vectors = embed_corpus(encoder, corpus, runtime)
    settings = RetrieverSettings(rerank_depth=5, candidates=20, citation_weight=0.3)
    reranker = tiny_cross_encoder(encoder, logit_shift) if rerank else None
    return Retriever.build(corpus, encoder, reranker, vectors, settings, runtime)


def tiny_bundle(folder: Path, rerank: bool = True, hidden: int = 32, logit_shift: float = 0.0) -> Bundle:
    """A bundle in ``folder / "bundle"``; the retriever it is made of lies beside it."""
    tiny_retriever(folder / "encoder", rerank, hidden, logit_shift).save(folder / "retriever")
    return make_bundle(folder / "retriever", folder / "bundle")
