"""Ranking metrics at article level, vectorised over queries: recall, precision, hit rate, MRR, nDCG, MAP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import EvaluationError
from retrieval.records import Qrels, TrecRun

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """A run seen through its judgements.

    Attributes:
        relevance: (Q, K) True where the hit at that rank is relevant; K is at least 1.
        relevant_counts: (Q,) number of relevant articles of each query, found or not; at least 1.
    """

    relevance: NDArray[np.bool_]
    relevant_counts: NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one run.

    Attributes:
        name: Tag of the run.
        qids: (Q,) query ids.
        per_query: (Q,) values by metric name, such as ``mrr@10``.
        mean: Mean over queries by metric name.
    """

    name: str
    qids: tuple[str, ...]
    per_query: Mapping[str, Values]
    mean: Mapping[str, float]

    def values(self, metric: str) -> Values:
        """(Q,) values of one metric.

        Raises:
            EvaluationError: If the metric was not computed.
        """
        if metric not in self.per_query:
            raise EvaluationError(
                f"run {self.name}: no {metric} among {', '.join(self.per_query)}; add its k to evaluation.cutoffs"
            )
        return self.per_query[metric]

    def select(self, qids: Sequence[str]) -> Evaluation:
        """The same metrics for some of the queries, in the order given.

        Raises:
            EvaluationError: If a query was not evaluated, or none is asked for.
        """
        position = {qid: index for index, qid in enumerate(self.qids)}
        unknown = [qid for qid in qids if qid not in position]
        if unknown or not qids:
            raise EvaluationError(
                f"run {self.name}: {len(unknown)} of {len(qids)} queries asked for were not evaluated"
                f" (first: {unknown[0] if unknown else 'none asked for'}); ask for some of its {len(self.qids)} queries"
            )
        keep = [position[qid] for qid in qids]
        return evaluation_of(self.name, qids, {name: values[keep] for name, values in self.per_query.items()})


def evaluation_of(name: str, qids: Sequence[str], per_query: Mapping[str, Values]) -> Evaluation:
    """An Evaluation from per-query values of at least one query; the means follow from them."""
    mean = {metric: float(values.mean()) for metric, values in per_query.items()}
    return Evaluation(name, tuple(qids), dict(per_query), mean)


def check_run(run: TrecRun) -> None:
    """Refuse a run whose arrays do not say what a TrecRun promises.

    Raises:
        EvaluationError: If shapes differ, a query id or an article repeats, a row points nowhere, a hit follows
            padding, or a score is NaN or above the one before it.
    """
    rows, scores, queries = run.rows, run.scores, len(run.qids)
    if rows.ndim != 2 or rows.shape != scores.shape or len(rows) != queries:
        raise EvaluationError(
            f"run {run.name}: rows {rows.shape}, scores {scores.shape} and {queries} query ids do not fit;"
            " both arrays must be (queries, depth)"
        )
    if len(set(run.qids)) != queries:
        raise EvaluationError(f"run {run.name}: a query id repeats among {queries}; keep one row a query")
    hit = rows >= 0
    ordered = np.sort(rows, axis=1)
    faults = {
        "a row points beyond the article ids": (rows >= len(run.cids)) | (rows < -1),
        "an article repeats": (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0),
        "a hit follows padding": hit[:, 1:] & ~hit[:, :-1],
        "a score is NaN": np.isnan(scores) & hit,
        "a score is above the one before it": (scores[:, 1:] > scores[:, :-1]) & hit[:, 1:],
    }
    for fault, where in faults.items():
        if where.any():
            query = int(where.any(axis=1).argmax())
            raise EvaluationError(f"run {run.name}: query {run.qids[query]}: {fault}; mend the search that made it")


def judge(run: TrecRun, qrels: Qrels) -> Judged:
    """Mark each hit of a run as relevant or not.

    Relevant articles that the run's corpus does not hold still count as relevant, so they lower recall.

    Args:
        run: (Q, K) ranked articles; Q above 0.
        qrels: Relevant article ids of at least every query of the run; further queries are ignored.

    Raises:
        EvaluationError: If the run is malformed or empty, or one of its queries has no relevant article.
    """
    check_run(run)
    if not run.qids:
        raise EvaluationError(f"run {run.name}: no queries; give it at least one question with gold articles")
    bare = [qid for qid in run.qids if not qrels.get(qid)]
    if bare:
        raise EvaluationError(
            f"run {run.name}: {len(bare)} of {len(run.qids)} queries have no relevant article (first: {bare[0]});"
            " add their gold articles or leave them out with run.select"
        )
    row_of = {cid: row for row, cid in enumerate(run.cids)}
    corpus = len(run.cids)
    gold = [
        position * corpus + row_of[cid] for position, qid in enumerate(run.qids) for cid in qrels[qid] if cid in row_of
    ]
    rows = run.rows.astype(np.int64) if run.rows.shape[1] else np.full((len(run.qids), 1), -1, np.int64)
    keys = np.arange(len(run.qids), dtype=np.int64)[:, None] * corpus + rows  # one number a (query, article) pair
    relevance = np.isin(keys, np.array(gold, np.int64)) & (rows >= 0)
    counts = np.array([len(qrels[qid]) for qid in run.qids], np.int64)
    return Judged(relevance, counts)


def _top(judged: Judged, k: int) -> NDArray[np.bool_]:
    if k < 1:
        raise EvaluationError(f"cutoff {k} is below 1; take a rank of 1 or more")
    return judged.relevance[:, :k]


def first_relevant_rank(judged: Judged) -> NDArray[np.int64]:
    """(Q,) rank of the best relevant hit, from 1; 0 where none was found."""
    found = judged.relevance.any(axis=1)
    return np.where(found, judged.relevance.argmax(axis=1) + 1, 0).astype(np.int64)


def recall_at(judged: Judged, k: int) -> Values:
    """(Q,) share of the relevant articles among the first k hits: ``|rel ∩ top k| / |rel|`` (trec_eval recall)."""
    return np.asarray(_top(judged, k).sum(axis=1) / judged.relevant_counts, np.float64)


def precision_at(judged: Judged, k: int) -> Values:
    """(Q,) share of relevant among k ranks, empty ranks counting as wrong: ``|rel ∩ top k| / k`` (trec_eval P)."""
    return np.asarray(_top(judged, k).sum(axis=1) / k, np.float64)


def hit_rate_at(judged: Judged, k: int) -> Values:
    """(Q,) 1 where any of the first k hits is relevant, else 0 (trec_eval success; the papers' Exist@k)."""
    return np.asarray(_top(judged, k).any(axis=1), np.float64)


def mrr_at(judged: Judged, k: int) -> Values:
    """(Q,) ``1 / rank`` of the first relevant hit within k, else 0 (Voorhees, TREC-8 QA track, 1999)."""
    top = _top(judged, k)
    return np.where(top.any(axis=1), 1.0 / (top.argmax(axis=1) + 1.0), 0.0)


def ndcg_at(judged: Judged, k: int) -> Values:
    """(Q,) normalised discounted cumulative gain with binary gains (Järvelin and Kekäläinen, TOIS 2002).

    ``sum over relevant ranks r <= k of 1 / log2(r + 1)``, divided by the same sum over ranks 1 to min(k, |rel|).
    """
    top = _top(judged, k)
    discounts = 1.0 / np.log2(np.arange(2, k + 2, dtype=np.float64))  # (k,)
    ideal = np.cumsum(discounts)[np.minimum(judged.relevant_counts, k) - 1]  # (Q,)
    return np.asarray((top @ discounts[: top.shape[1]]) / ideal, np.float64)


def map_at(judged: Judged, k: int) -> Values:
    """(Q,) average precision: ``sum over relevant ranks r <= k of precision at r``, over |rel| (trec_eval map_cut)."""
    top = _top(judged, k)
    ranks = np.arange(1, top.shape[1] + 1, dtype=np.float64)
    precisions = np.cumsum(top, axis=1) / ranks  # (Q, k)
    return np.asarray((precisions * top).sum(axis=1) / judged.relevant_counts, np.float64)


METRICS: Mapping[str, Callable[[Judged, int], Values]] = {
    "mrr": mrr_at,
    "ndcg": ndcg_at,
    "recall": recall_at,
    "hit_rate": hit_rate_at,
    "precision": precision_at,
    "map": map_at,
}


def evaluate(run: TrecRun, qrels: Qrels, cutoffs: Sequence[int]) -> Evaluation:
    """Every metric at every cutoff, for each query and on average.

    A query with no hits counts 0. Only the run's own queries are judged.

    Args:
        run: (Q, K) ranked articles.
        qrels: Relevant article ids of at least every query of the run.
        cutoffs: Ranks k, each 1 or more; they may exceed K.

    Raises:
        EvaluationError: If the run is malformed, a query has no relevant article, or a cutoff is below 1.
    """
    judged = judge(run, qrels)
    return evaluation_of(
        run.name, run.qids, {f"{name}@{k}": metric(judged, k) for name, metric in METRICS.items() for k in cutoffs}
    )
