"""Second stage: the cross-encoder reads the best candidates, and its probability is blended with the first stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.data.fields import query_texts, reranker_document
from retrieval.records import Corpus, Query, TrecRun
from retrieval.search.fusion import min_max
from retrieval.search.ranking import run_of

if TYPE_CHECKING:  # blending needs no torch
    from retrieval.models.cross_encoder import CrossEncoder
    from retrieval.runtime import Runtime


def reranker_logits(
    reranker: CrossEncoder,
    corpus: Corpus,
    queries: Sequence[Query],
    run: TrecRun,
    passages: NDArray[np.int64],
    titles: bool,
    runtime: Runtime,
    label: str | None = None,
) -> NDArray[np.float32]:
    """Score the candidates of a run.

    Args:
        reranker: The cross-encoder.
        corpus: Where the candidates come from.
        queries: (Q,) the run's queries, in its order.
        run: First-stage ranking.
        passages: (Q, K) row of the passage to read for each of the first K hits; -1 is skipped.
        titles: Show the title with the passage.
        runtime: Where to compute.
        label: Text of a progress bar; None shows none.

    Returns:
        (Q, K) logits, NaN where there is no candidate.
    """
    kind = reranker.settings.text_kind
    texts = query_texts(queries, kind)
    positions = np.argwhere(passages >= 0)
    pairs = [(texts[q], reranker_document(corpus, int(passages[q, rank]), titles, kind)) for q, rank in positions]
    logits = np.full((len(run.qids), passages.shape[1]), np.nan, dtype=np.float32)
    if pairs:
        logits[positions[:, 0], positions[:, 1]] = reranker.score(pairs, runtime, label=label)
    return logits


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logistic function in float32, where half precision would tie the best candidates."""
    with np.errstate(over="ignore"):
        result: NDArray[np.float32] = (1.0 / (1.0 + np.exp(-logits.astype(np.float32)))).astype(np.float32)
    return result


def blend(run: TrecRun, logits: NDArray[np.float32], depth: int, weight: float, name: str = "reranked") -> TrecRun:
    """`blend_probabilities` of logits, (Q, at least depth)."""
    probabilities = sigmoid(np.nan_to_num(logits[:, :depth], nan=-np.inf, neginf=-np.inf))
    return blend_probabilities(run, probabilities, depth, weight, name)


def blend_probabilities(
    run: TrecRun, probabilities: NDArray[np.float32], depth: int, weight: float, name: str = "reranked"
) -> TrecRun:
    """Reorder the first ``depth`` hits by ``(1 - w) * first stage + w * probability``; the rest keep their order.

    Args:
        run: First-stage ranking, (Q, K).
        probabilities: (Q, at least depth) reranker's probabilities of the first hits.
        depth: Hits to reorder.
        weight: w, the reranker's share within [0, 1].
        name: Tag of the result.

    Returns:
        A run of the same hits; reordered ones score within [0, 1], the rest within [-1, 0).
    """
    depth = min(depth, run.rows.shape[1])
    head, head_rows = run.scores[:, :depth], run.rows[:, :depth]
    mixed = (1.0 - weight) * min_max(head) + weight * probabilities[:, :depth]
    mixed = np.where(head_rows >= 0, mixed, -np.inf).astype(np.float32)
    order = np.argsort(-mixed, axis=1, kind="stable")
    tail = (min_max(run.scores)[:, depth:] - 1.0 - 1e-6).astype(np.float32)
    rows = np.concatenate([np.take_along_axis(head_rows, order, axis=1), run.rows[:, depth:]], axis=1)
    scores = np.concatenate([np.take_along_axis(mixed, order, axis=1), tail], axis=1)
    return run_of(name, run.qids, run.cids, rows, scores)
