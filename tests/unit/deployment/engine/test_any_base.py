"""A base that only transformers runs, from its name in the configuration to a service that answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deployment.bundle.build import make_bundle
from deployment.engine.embedding import EmbeddingEngine
from deployment.engine.loading import embedding_engine
from deployment.settings import ServingSettings
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.label_values import KnownValues
from retrieval.config.schema import BiEncoderConfig, TrainingConfig
from retrieval.models.backbone.transformers_backbone import TransformersBackbone
from retrieval.models.bi_encoder import bi_encoder_from, load_bi_encoder
from retrieval.records import Dataset, Query
from retrieval.runtime import Runtime
from retrieval.search.embedding import corpus_states, embed_corpus
from retrieval.search.retriever import Retriever
from retrieval.search.settings import RetrieverSettings
from retrieval.training.bi_encoder import train_bi_encoder
from tests.helpers.foreign_vectors import ours, theirs
from tests.helpers.tiny_bundle import QUESTION, tiny_corpus
from tests.helpers.transformers_folders import write_embedding_gemma, write_family_encoder, write_qwen3_embedding

CPU = Runtime(torch.device("cpu"), torch.float32, 1)


def write_modernbert(folder):
    return write_family_encoder(folder, "modernbert", pooling="cls")


def small_dataset():
    corpus = tiny_corpus(16)
    splits = ["train"] * 10 + ["validation"] * 4 + ["test"] * 2
    queries = tuple(
        Query(f"q{number}", " ".join(article.body.split()[:4]), (article.cid,), source="title", split=split)
        for number, (article, split) in enumerate(zip(corpus.articles, splits, strict=True))
    )
    return Dataset(corpus, queries)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("write", "precision"),
    [
        (write_qwen3_embedding, torch.float32),
        (write_embedding_gemma, torch.float32),
        (write_modernbert, torch.float32),
        (write_modernbert, torch.bfloat16),
    ],
    ids=["Qwen3-Embedding", "EmbeddingGemma", "ModernBERT", "ModernBERT in bfloat16"],
)
async def test_it_is_trained_saved_bundled_and_served(tmp_path, write, precision):
    base, dataset, runtime = write(tmp_path / "base"), small_dataset(), Runtime(CPU.device, precision, 1)
    training = TrainingConfig(
        epochs=1, batch_queries=4, freeze_layers=1, max_steps=2, validation_queries=3, validation_articles=10
    )
    config = BiEncoderConfig(
        base=str(base), max_query_tokens=32, max_passage_tokens=48, batch_articles=0, training=training
    )
    encoder = bi_encoder_from(config)
    before = {name: value.clone() for name, value in encoder.named_parameters()}
    report = train_bi_encoder(
        encoder, dataset, config, {}, 1, runtime, tmp_path / "run", lambda *_: None, tmp_path / "states"
    )
    assert report.steps == 2 and np.isfinite(report.losses).all()
    changed = {name for name, value in encoder.named_parameters() if not torch.equal(value, before[name])}
    assert changed and not any(".layers.0." in name or "embed" in name for name in changed)
    assert all(name in changed for name in before if "projections" in name)
    assert corpus_states(encoder, dataset.corpus, 1, runtime, tmp_path / "states") is None
    assert not list(tmp_path.glob("states/*.npy"))

    vectors = embed_corpus(encoder, dataset.corpus, runtime)
    built = Retriever.build(dataset.corpus, encoder, None, vectors, RetrieverSettings(candidates=10), runtime)
    built.save(tmp_path / "retriever")
    again = load_bi_encoder(tmp_path / "retriever/bi-encoder")
    assert isinstance(again.backbone, TransformersBackbone)
    np.testing.assert_array_equal(again.encode_queries([QUESTION], CPU), encoder.encode_queries([QUESTION], CPU))

    bundle = make_bundle(tmp_path / "retriever", tmp_path / "bundle")
    for folder in (bundle.folder, bundle.folder / "bi-encoder"):
        settings = ServingSettings(bundle=str(folder), precision="float32", threads=1)
        engine: EmbeddingEngine = embedding_engine(settings, EndpointMetrics(f"any-{folder.name}", KnownValues()))
        await engine.warm_up()
        done = await engine.embed([QUESTION], "query")
        np.testing.assert_allclose(done.vectors, encoder.encode_queries([QUESTION], CPU), atol=1e-5)
        if folder is bundle.folder:
            assert len((await engine.search(QUESTION, 5)).answers) == 5
        await engine.close()
    saved = bundle.folder / "bi-encoder"
    read = again.settings.passage_prefix + QUESTION
    np.testing.assert_allclose(theirs(saved, [read]), ours(saved, [QUESTION], queries=False), atol=2e-5)
