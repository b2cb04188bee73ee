"""A retriever without any training: an encoder as it comes, BM25, and their weights chosen on validation questions."""

from __future__ import annotations

from pathlib import Path

from retrieval.config.schema import Config, DataConfig
from retrieval.data.preparation import clean_and_cut
from retrieval.data.segmentation import segment_dataset
from retrieval.data.sources.ingest import ingest
from retrieval.data.splits import NATURAL, split_queries
from retrieval.experiments.assessment import tune
from retrieval.models.bi_encoder import bi_encoder_from
from retrieval.runtime import Runtime
from retrieval.search.embedding import embed_corpus
from retrieval.search.retriever import Retriever
from retrieval.search.settings import RetrieverSettings


def zero_shot_config(questions: Path = Path("questions.csv"), laws: tuple[str, ...] = ()) -> Config:
    """The bundled codes and the bundled encoder.

    Args:
        questions: Choose the weights; where there is no such file the weights stay as they are.
        laws: Số hiệu of the codes to take; empty takes all.
    """
    data = DataConfig(
        laws=laws,
        natural_questions=questions if questions.is_file() else None,
        training_questions=None,
        clause_queries=0,
        path_queries=False,
        template_queries=0,
    )
    return Config(name="zero-shot", data=data)


def zero_shot_retriever(config: Config, runtime: Runtime) -> Retriever:
    """Read all the law once with an encoder as it comes; there is no cross-encoder.

    Args:
        config: Of `zero_shot_config`, or any other.
        runtime: Where to compute.

    Raises:
        SourceError: If a file is missing or unreadable.
        ModelError: If the encoder cannot be read.

    Example:
        retriever = zero_shot_retriever(zero_shot_config(), choose_runtime())  # minutes on two cores
        retriever.search("Theo BLDS, tuổi thành niên là bao nhiêu?", 3)
    """
    data, encoder = config.data, bi_encoder_from(config.bi_encoder)
    dataset = clean_and_cut(
        ingest(data, config.seed), config.bi_encoder.base, data.passage_tokens, data.passage_overlap_tokens
    )
    if encoder.settings.text_kind == "segmented" or config.search.bm25_units == "words":
        dataset = segment_dataset(dataset, data.workers)
    dataset = split_queries(dataset, data, config.seed)
    vectors = embed_corpus(encoder, dataset.corpus, runtime)
    settings = RetrieverSettings.of(config.search, titles=True)
    retriever = Retriever.build(dataset.corpus, encoder, None, vectors, settings, runtime)
    return tune(retriever, dataset.select("validation", NATURAL), config.search, "")[0]
