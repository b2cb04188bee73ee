"""What a reranker adds to the first stage whose candidates it reordered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import EvaluationError
from retrieval.evaluation.metrics import (
    Judged,
    Values,
    first_relevant_rank,
    hit_rate_at,
    judge,
    mrr_at,
    ndcg_at,
)
from retrieval.records import Qrels, TrecRun


@dataclass(frozen=True)
class RerankingEvaluation:
    """Reranked run against its first stage.

    Attributes:
        name: Tag of the reranked run.
        first_stage: Tag of the first-stage run.
        qids: (Q,) query ids.
        per_query: (Q,) values of ``reranking_accuracy``, ``mrr_improvement@k``, ``ndcg_improvement@k`` and
            ``rank_displacement`` (NaN where the first stage found nothing relevant).
        mean: Means of the above, plus ``roc_auc``; NaN where undefined.
        first_stage_misses: Queries with no relevant article among the first stage's candidates.
    """

    name: str
    first_stage: str
    qids: tuple[str, ...]
    per_query: Mapping[str, Values]
    mean: Mapping[str, float]
    first_stage_misses: int


def roc_auc(relevant: NDArray[np.floating], others: NDArray[np.floating]) -> float:
    """Chance that a relevant score is above another one, ties counting half (Mann-Whitney U / (m n)).

    Args:
        relevant: (m,) scores of relevant pairs.
        others: (n,) scores of the rest.

    Returns:
        Within [0, 1]; NaN where either side is empty.
    """
    if not len(relevant) or not len(others):
        return float("nan")
    from scipy.stats import rankdata  # takes a second to import, which a run from the cache need not spend

    ranks = rankdata(np.concatenate([relevant, others]))  # mean ranks for ties
    rank_sum = float(ranks[: len(relevant)].sum()) - len(relevant) * (len(relevant) + 1) / 2
    return rank_sum / (len(relevant) * len(others))


def split_scores(run: TrecRun, judged: Judged) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores of the relevant hits and of the rest, over all queries."""
    hit = run.rows >= 0
    relevance = judged.relevance[:, : run.rows.shape[1]]
    return run.scores[hit & relevance], run.scores[hit & ~relevance]


def rank_displacement(first: Judged, reranked: Judged) -> Values:
    """(Q,) places that the first relevant article rose (RRD): rank before minus rank after, negative where it sank.

    Queries whose first stage found nothing relevant are NaN, since no order of its candidates could help them. Where
    the reranked list was cut above an article that the first stage had found, its rank counts as one past its end.
    """
    before, after = first_relevant_rank(first), first_relevant_rank(reranked)
    after = np.where(after == 0, reranked.relevance.shape[1] + 1, after)
    return np.where(before == 0, np.nan, (before - after).astype(np.float64))


def evaluate_reranking(first: TrecRun, reranked: TrecRun, qrels: Qrels, k: int = 10) -> RerankingEvaluation:
    """Judge a reranked run against the first stage that chose its candidates.

    Improvements are absolute differences, reranked minus first stage. ROC AUC is over all (query, candidate) pairs of
    the reranked run together, so it also asks that scores compare across queries.

    Args:
        first: First stage, as deep as the reranker read it.
        reranked: The same candidates in a new order; the same queries.
        qrels: Relevant article ids of every query.
        k: Cutoff of the improvements.

    Raises:
        EvaluationError: If the queries differ, or the reranked run holds relevant articles that the first stage missed.
    """
    if first.qids != reranked.qids:
        raise EvaluationError(
            f"runs {first.name} and {reranked.name}: {len(first.qids)} and {len(reranked.qids)} queries, not the same"
            " in the same order; align them with run.select"
        )
    before, after = judge(first, qrels), judge(reranked, qrels)
    injected = after.relevance.sum(axis=1) > before.relevance.sum(axis=1)
    if injected.any():
        raise EvaluationError(
            f"run {reranked.name}: {int(injected.sum())} queries hold relevant articles that {first.name} missed"
            f" (first: {first.qids[int(injected.argmax())]}); rerank only what the first stage found"
        )
    displacement = rank_displacement(before, after)
    per_query = {
        "reranking_accuracy": hit_rate_at(after, 1),
        f"mrr_improvement@{k}": mrr_at(after, k) - mrr_at(before, k),
        f"ndcg_improvement@{k}": ndcg_at(after, k) - ndcg_at(before, k),
        "rank_displacement": displacement,
    }
    known = displacement[~np.isnan(displacement)]
    mean = {name: float(values.mean()) for name, values in per_query.items()}
    mean["rank_displacement"] = float(known.mean()) if len(known) else float("nan")
    mean["roc_auc"] = roc_auc(*split_scores(reranked, after))
    misses = int(np.isnan(displacement).sum())
    return RerankingEvaluation(reranked.name, first.name, first.qids, per_query, mean, misses)
