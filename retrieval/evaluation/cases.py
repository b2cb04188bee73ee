"""Single queries worth reading: what was found, what should have been, and the worst failures first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import EvaluationError
from retrieval.evaluation.metrics import Judged, first_relevant_rank
from retrieval.records import Article, Corpus, Query, TrecRun

_HEADING_CHARACTERS = 110
PREDICTION_COLUMNS = ("qid", "question", "source", "rank", "cid", "title", "score", "relevant")
CASE_COLUMNS = (
    "qid", "question", "source", "gold_cid", "gold_title", "gold_rank", "gold_score",
    "came_instead_cid", "came_instead_title", "came_instead_rank", "came_instead_score",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """An article in a case.

    Attributes:
        cid: Article id.
        heading: Title, or the start of the body where the source has no titles.
        law: Name of the law; may be empty.
        rank: From 1; 0 where the run missed it.
        score: -inf where the run missed it.
    """

    cid: str
    heading: str
    law: str
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Case:
    """A query whose first hit was wrong.

    Attributes:
        qid: Query id.
        question: Its text.
        source: Where the question came from.
        gold: Relevant articles, best found first.
        instead: The best wrong hits, best first.
    """

    qid: str
    question: str
    source: str
    gold: tuple[Found, ...]
    instead: tuple[Found, ...]


def heading_of(article: Article) -> str:
    """The title, or the first characters of the body where there is none."""
    if article.title:
        return article.title
    body = " ".join(article.body[: 2 * _HEADING_CHARACTERS].split())
    return body if len(body) <= _HEADING_CHARACTERS else body[: _HEADING_CHARACTERS - 1].rstrip() + "…"


def _found(corpus: Corpus, cid: str, rank: int, score: float) -> Found:
    row = corpus.row_of.get(cid)
    if row is None:
        return Found(cid, "(không có trong kho văn bản)", "", rank, score)
    article = corpus.articles[row]
    return Found(cid, heading_of(article), article.law, rank, score)


def queries_of(run: TrecRun, queries: Sequence[Query]) -> list[Query]:
    """The run's queries in its order.

    Raises:
        EvaluationError: If a query of the run is not among ``queries``.
    """
    by_qid: Mapping[str, Query] = {query.qid: query for query in queries}
    missing = [qid for qid in run.qids if qid not in by_qid]
    if missing:
        raise EvaluationError(
            f"run {run.name}: {len(missing)} of {len(run.qids)} queries are not among {len(queries)} questions"
            f" (first: {missing[0]}); give the questions that were searched"
        )
    return [by_qid[qid] for qid in run.qids]


def _worst_first(run: TrecRun, judged: Judged) -> NDArray[np.int64]:
    """Positions of the queries whose first hit is wrong: missed before low, then the most confident mistake first."""
    ranks = first_relevant_rank(judged)
    hit = run.rows >= 0
    margin = np.zeros(len(ranks), np.float64)
    if run.rows.shape[1]:
        scores = np.where(hit, run.scores, 0.0).astype(np.float64)
        compared = (
            np.where(ranks > 0, ranks, hit.sum(axis=1)) - 1
        )  # the gold's column; the last hit's where it was missed
        margin = scores[:, 0] - np.take_along_axis(scores, np.maximum(compared, 0)[:, None], axis=1)[:, 0]
    depth = np.where(ranks == 0, np.iinfo(np.int64).max, ranks)
    order = np.lexsort((-margin, -depth)).astype(np.int64)
    return np.asarray(order[ranks[order] != 1], np.int64)


def failed_cases(
    run: TrecRun, judged: Judged, queries: Sequence[Query], corpus: Corpus, limit: int, *, instead: int = 3
) -> tuple[Case, ...]:
    """The worst queries of a run.

    Args:
        run: Ranked articles.
        judged: The same run's judgements.
        queries: The run's queries, in its order.
        corpus: Where titles are looked up.
        limit: Cases at most.
        instead: Wrong hits shown a case, at most.
    """
    cases = []
    for position in _worst_first(run, judged)[:limit]:
        query, hits = queries[position], run.hits(int(position))
        place = {hit.cid: (rank, hit.score) for rank, hit in enumerate(hits, start=1)}
        gold = [_found(corpus, cid, *place.get(cid, (0, float("-inf")))) for cid in query.cids]
        gold.sort(key=lambda found: found.rank or np.inf)
        wrong = [_found(corpus, hit.cid, *place[hit.cid]) for hit in hits if hit.cid not in query.cids]
        cases.append(Case(query.qid, query.text, query.source, tuple(gold), tuple(wrong[:instead])))
    return tuple(cases)


def prediction_rows(
    run: TrecRun, queries: Sequence[Query], corpus: Corpus, depth: int = 10
) -> Iterator[tuple[str | int, ...]]:
    """Rows of predictions.csv (PREDICTION_COLUMNS): the first hits of every query, in the run's order."""
    for query, (_, hits) in zip(queries, run, strict=True):
        for rank, hit in enumerate(hits[:depth], start=1):
            found = _found(corpus, hit.cid, rank, hit.score)
            relevant = int(hit.cid in query.cids)
            yield query.qid, query.text, query.source, rank, hit.cid, found.heading, f"{hit.score:.6g}", relevant


def case_rows(cases: Sequence[Case]) -> Iterator[tuple[str | int, ...]]:
    """Rows of failed_cases.csv (CASE_COLUMNS): one a case; several golds or wrong hits are joined by ``|``."""
    for case in cases:
        yield (case.qid, case.question, case.source, *_joined(case.gold), *_joined(case.instead))


def _joined(found: Sequence[Found]) -> tuple[str, str, str, str]:
    ranks = (str(one.rank) if one.rank else "" for one in found)
    scores = (f"{one.score:.6g}" if one.rank else "" for one in found)
    cids, headings = (one.cid for one in found), (one.heading for one in found)
    return "|".join(cids), "|".join(headings), "|".join(ranks), "|".join(scores)
