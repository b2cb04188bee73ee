"""Small held-out rankings that choose the best epoch: a pool of articles, or mined candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.evaluation.metrics import judge, mrr_at
from retrieval.records import Dataset, Query, TrecRun, qrels_of
from retrieval.search.ranking import run_of, top_k
from retrieval.training.batches import generator

_DEPTH = 10


def validation_queries(dataset: Dataset, count: int, seed: int) -> list[Query]:
    """Up to ``count`` validation queries with known answers: natural questions first, then the rest, drawn by seed."""
    known = [query for query in dataset.select("validation") if query.cids]
    draw = generator(seed, 0, "validation queries").permutation(len(known))
    drawn = [known[int(row)] for row in draw]
    return sorted(drawn, key=lambda query: query.source != "natural")[:count]


@dataclass(frozen=True)
class Pool:
    """Validation queries and the articles they are ranked against.

    Attributes:
        queries: Q queries.
        cids: (C,) article ids, in corpus order.
        passages: Rows in the corpus of those articles' passages, grouped by article.
        starts: (C,) position in ``passages`` of each article's first one.
    """

    queries: tuple[Query, ...]
    cids: tuple[str, ...]
    passages: NDArray[np.int64]
    starts: NDArray[np.int64]

    def mrr_at_10(self, query_vectors: NDArray[np.float32], passage_vectors: NDArray[np.float32]) -> float:
        """Mean reciprocal rank of the best gold article, by each article's best passage.

        Args:
            query_vectors: (Q, D).
            passage_vectors: (P, D), in the order of ``passages``.
        """
        best = np.maximum.reduceat(query_vectors @ passage_vectors.T, self.starts, axis=1)  # (Q, P) -> (Q, C)
        rows, scores = top_k(best.astype(np.float32), _DEPTH)
        run = run_of("validation", [query.qid for query in self.queries], self.cids, rows, scores)
        return mean_mrr(run, self.queries)


def make_pool(dataset: Dataset, queries: Sequence[Query], articles: int, seed: int) -> Pool:
    """The gold articles of the queries, with others drawn by seed until there are ``articles`` of them."""
    corpus = dataset.corpus
    golds = {corpus.row_of[cid] for query in queries for cid in query.cids}
    others = [row for row in range(len(corpus.articles)) if row not in golds]
    draw = generator(seed, 0, "validation articles").permutation(len(others))
    chosen = np.array(sorted(golds | {others[int(row)] for row in draw[: max(0, articles - len(golds))]}))
    passages = np.flatnonzero(np.isin(corpus.article_rows, chosen))
    starts = np.searchsorted(corpus.article_rows[passages], chosen)
    return Pool(tuple(queries), tuple(corpus.cids[row] for row in chosen), passages, starts.astype(np.int64))


def candidates_of(queries: Sequence[Query], mined: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """For each query that has mined candidates, those and then its gold articles, by query id.

    The golds are put in so that every query says something about the model; these figures choose an epoch and are
    never reported as the retriever's.
    """
    found = [(query, [cid for cid in mined.get(query.qid, ()) if cid not in query.cids]) for query in queries]
    return {query.qid: [*cids, *query.cids] for query, cids in found if cids}


def candidates_mrr(queries: Sequence[Query], candidates: Mapping[str, Sequence[str]], scores: Sequence[float]) -> float:
    """MRR@10 of candidates reordered by score; a gold that ties with another candidate comes after it.

    Args:
        queries: Those that ``candidates`` has.
        candidates: Article ids by query id, golds last.
        scores: One for each candidate, query after query.
    """
    cids = tuple(dict.fromkeys(cid for query in queries for cid in candidates[query.qid]))
    row_of = {cid: row for row, cid in enumerate(cids)}
    rows = np.full((len(queries), max(len(candidates[query.qid]) for query in queries)), -1, np.int32)
    values = np.full(rows.shape, -np.inf, np.float32)
    start = 0
    for position, query in enumerate(queries):
        names = candidates[query.qid]
        own = np.asarray(scores[start : start + len(names)], np.float32)
        order = np.argsort(-own, kind="stable")
        rows[position, : len(names)] = [row_of[names[index]] for index in order]
        values[position, : len(names)] = own[order]
        start += len(names)
    return mean_mrr(TrecRun("validation", tuple(query.qid for query in queries), cids, rows, values), queries)


def mean_mrr(run: TrecRun, queries: Sequence[Query]) -> float:
    """Mean MRR@10 of a run."""
    return float(mrr_at(judge(run, qrels_of(queries)), _DEPTH).mean())
