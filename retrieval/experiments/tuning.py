"""Choosing the weights that join the stages, on validation queries only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from retrieval.config.schema import SearchConfig
from retrieval.evaluation.metrics import evaluate
from retrieval.records import Query, TrecRun, qrels_of
from retrieval.search.citations import boost_cited
from retrieval.search.fusion import fuse
from retrieval.search.rerank import blend
from retrieval.search.results import FirstStage
from retrieval.search.retriever import Retriever

_MEASURE = "mrr@10"
_WORTH = 0.002
"""MRR@10 that a setting must add on validation to be preferred to a simpler one; less is noise."""


def _quality(run: TrecRun, queries: Sequence[Query]) -> float:
    return evaluate(run, qrels_of(queries), (10,)).mean[_MEASURE]


def tune_first_stage(
    retriever: Retriever, queries: Sequence[Query], vectors: NDArray[np.float32], config: SearchConfig
) -> Retriever:
    """The same retriever with the title, lead passage and BM25 weights of the best validation MRR@10.

    Weights are tried in order and an earlier one stays unless a later one is clearly better.

    Args:
        retriever: Before tuning.
        queries: Validation queries with golds.
        vectors: (Q, D) their vectors.
        config: The weights to try.
    """
    settings, qids = retriever.settings, [query.qid for query in queries]
    bm25 = retriever.bm25.search(queries, settings.candidates)
    named = retriever.named(queries)
    has_titles = settings.titles and len(retriever.index.titles) > 0
    best, best_quality = settings, -1.0
    for title, lead in product(config.title_weights if has_titles else (0.0,), config.lead_passage_weights):
        dense = retriever.index.search(qids, vectors, settings.candidates, title, lead)
        for bm25_weight in config.bm25_weights:
            mix = fuse(dense, bm25, bm25_weight, settings.candidates)
            quality = _quality(boost_cited(mix, named, settings.citation_weight), queries)
            if quality > best_quality + _WORTH:
                best = replace(settings, title_weight=title, lead_passage_weight=lead, bm25_weight=bm25_weight)
                best_quality = quality
    return retriever.with_settings(best)


def tune_reranking(
    retriever: Retriever, queries: Sequence[Query], stage: FirstStage, logits: NDArray[np.float32], config: SearchConfig
) -> Retriever:
    """The same retriever with the rerank depth and weight of the best validation MRR@10.

    The first stage's order stays where no setting is clearly better.

    Args:
        retriever: With its first stage tuned.
        queries: Validation queries with golds.
        stage: Their first stage.
        logits: (Q, largest depth) reranker logits of the hybrid run's first hits.
        config: Depths and weights to try.
    """
    best, best_quality = retriever.settings, -1.0
    for depth in sorted(config.rerank_depths):
        for weight in config.rerank_weights:
            quality = _quality(blend(stage.hybrid, logits, depth, weight), queries)
            if quality > best_quality + _WORTH:
                best = replace(retriever.settings, rerank_depth=depth, rerank_weight=weight)
                best_quality = quality
    return retriever.with_settings(best)
