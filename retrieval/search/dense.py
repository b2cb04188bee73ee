"""Exact vector search over three fields: an article's best passage, its lead passage and its title."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from retrieval.errors import SearchError
from retrieval.records import Corpus, TrecRun
from retrieval.search.ranking import run_of, top_k

_QUERY_BLOCK = 256


def _cosines(queries: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """(Q, N) products, by torch: numpy's own threads go on spinning afterwards, in the way of the model's."""
    product: NDArray[np.float32] = (torch.from_numpy(queries) @ torch.from_numpy(rows).T).numpy()
    return product


@dataclass(frozen=True)
class DenseIndex:
    """Unit vectors of a corpus, searched exactly.

    Attributes:
        cids: (C,) article ids.
        passages: (P, D) float32, grouped by article, in article order.
        article_rows: (P,) row of each passage's article; not decreasing, every article at least once.
        titles: (C, D) float32, or (0, D) where the corpus has no titles.
    """

    cids: tuple[str, ...]
    passages: NDArray[np.float32]
    article_rows: NDArray[np.int32]
    titles: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Refuse matrices that do not belong to the same corpus."""
        if len(self.passages) != len(self.article_rows):
            raise SearchError(
                f"dense index: {len(self.passages)} passage vectors but {len(self.article_rows)} article rows;"
                " embed the same corpus again"
            )
        if len(self.starts) != len(self.cids) or (np.diff(self.article_rows) < 0).any():
            raise SearchError(
                f"dense index: passages of {len(self.starts)} articles, grouped in order, expected {len(self.cids)};"
                " embed the same corpus again"
            )

    @classmethod
    def of(cls, corpus: Corpus, passages: NDArray[np.float32], titles: NDArray[np.float32]) -> DenseIndex:
        """Index of a corpus from its vectors."""
        return cls(corpus.cids, passages, corpus.article_rows, titles)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(C,) row of each article's first passage."""
        return np.flatnonzero(np.r_[True, np.diff(self.article_rows) > 0])

    def scores(
        self, queries: NDArray[np.float32], title_weight: float = 0.0, lead_passage_weight: float = 0.0
    ) -> NDArray[np.float32]:
        """(Q, C) scores: ``(1 - t - o) * best passage + o * first passage + t * title``, all cosines.

        Args:
            queries: (Q, D) unit vectors.
            title_weight: t, share of the title field; ignored where the corpus has no titles.
            lead_passage_weight: o, share of the first passage, which says what an article is about.
        """
        passages = _cosines(queries, self.passages)  # (Q, P)
        title_weight = title_weight if len(self.titles) else 0.0
        scores: NDArray[np.float32] = np.maximum.reduceat(passages, self.starts, axis=1)  # (Q, P) -> (Q, C)
        scores *= 1.0 - title_weight - lead_passage_weight
        if lead_passage_weight:
            scores += lead_passage_weight * passages[:, self.starts]
        if title_weight:
            scores += title_weight * _cosines(queries, self.titles)
        return scores

    def search(
        self,
        qids: Sequence[str],
        queries: NDArray[np.float32],
        k: int,
        title_weight: float = 0.0,
        lead_passage_weight: float = 0.0,
    ) -> TrecRun:
        """The ``k`` best articles of each query, exactly."""
        pieces = [
            top_k(self.scores(queries[start : start + _QUERY_BLOCK], title_weight, lead_passage_weight), k)
            for start in range(0, len(queries), _QUERY_BLOCK)
        ]
        if not pieces:
            raise SearchError("dense index: no queries; give at least one")
        rows, scores = (np.concatenate(part) for part in zip(*pieces, strict=True))
        return run_of("dense", qids, self.cids, rows, scores)

    def best_passages(self, queries: NDArray[np.float32], rows: NDArray[np.int32]) -> NDArray[np.int64]:
        """(Q, K) row in ``passages`` of each candidate article's best passage; -1 where ``rows`` is -1.

        Args:
            queries: (Q, D) unit vectors.
            rows: (Q, K) article rows.
        """
        ends = np.r_[self.starts[1:], len(self.passages)]
        found = np.full(rows.shape, -1, dtype=np.int64)
        for query, candidates in enumerate(rows):
            for rank, row in enumerate(candidates):
                if row >= 0:
                    block = slice(self.starts[row], ends[row])
                    found[query, rank] = self.starts[row] + int(np.argmax(self.passages[block] @ queries[query]))
        return found
