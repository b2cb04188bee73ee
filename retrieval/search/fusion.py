"""Convex combination of two runs after scaling each query's scores to [0, 1]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import SearchError
from retrieval.records import TrecRun
from retrieval.search.ranking import run_of, top_k


def min_max(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row's finite scores to [0, 1]; a row of equal scores becomes 1, padding stays -inf.

    Args:
        scores: (Q, K).
    """
    finite = np.isfinite(scores)
    low = np.where(finite, scores, np.inf).min(axis=1, keepdims=True)
    high = np.where(finite, scores, -np.inf).max(axis=1, keepdims=True)
    width = np.where(high > low, high - low, 1.0)
    with np.errstate(invalid="ignore"):
        scaled = np.where(high > low, (scores - low) / width, 1.0)
    return np.where(finite, scaled, -np.inf).astype(np.float32)


def _spread(run: TrecRun) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scores of a run laid out by article: (Q, C), 0 where absent, and where present."""
    laid = np.zeros((len(run.qids), len(run.cids)), dtype=np.float32)
    present = np.zeros(laid.shape, dtype=bool)
    queries, ranks = np.nonzero(run.rows >= 0)
    rows = run.rows[queries, ranks]
    laid[queries, rows] = min_max(run.scores)[queries, ranks]
    present[queries, rows] = True
    return laid, present


def fuse(first: TrecRun, second: TrecRun, second_weight: float, k: int, name: str = "hybrid") -> TrecRun:
    """Convex mix ``(1 - w) * first + w * second`` of min-max scaled scores (Bruch et al., 2023).

    An article that one run does not have gets 0 from it, its lowest scaled score.

    Args:
        first: A run.
        second: A run of the same queries over the same articles.
        second_weight: w, within [0, 1].
        k: Hits to keep for each query.
        name: Tag of the mix.

    Raises:
        SearchError: If the runs are of different queries or articles.

    Example:
        hybrid = fuse(dense.search(qids, vectors, 100), bm25.search(queries, 100), second_weight=0.3, k=100)
        hybrid.name  # "hybrid"
    """
    if first.qids != second.qids or first.cids != second.cids:
        raise SearchError(
            f"fusion: runs {first.name} ({len(first.qids)} queries, {len(first.cids)} articles) and {second.name}"
            f" ({len(second.qids)}, {len(second.cids)}) differ; search the same queries in the same corpus"
        )
    pieces = []
    for start in range(0, len(first.qids), 64):  # blocks bound the (Q, C) layout on a large corpus
        block = first.qids[start : start + 64]
        (one, in_one), (two, in_two) = _spread(first.select(block)), _spread(second.select(block))
        mixed = (1.0 - second_weight) * one + second_weight * two
        pieces.append(top_k(np.where(in_one | in_two, mixed, -np.inf).astype(np.float32), k))
    rows, scores = (np.concatenate(part) for part in zip(*pieces, strict=True))
    return run_of(name, first.qids, first.cids, rows, scores)
