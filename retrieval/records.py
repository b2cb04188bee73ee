"""The nouns of the domain: Article, Passage, Corpus, Query, Dataset, Qrels, TrecRun, Hit, Decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Qrels = Mapping[str, frozenset[str]]
"""Relevant article ids of each query id."""


@dataclass(frozen=True, slots=True)
class Article:
    """One điều of a law, or one row of a corpus file.

    Attributes:
        cid: Identifier, unique in its corpus (``91/2015/QH13:8`` in the bundled codes).
        title: Heading without the body; empty where the source has none.
        body: Text without the title.
        law: Name of the law; empty where the source has none.
        path: Headings above the article, outermost first (phần, chương, mục).
        clauses: Character offsets in ``body`` where each khoản starts; empty where there are none.
    """

    cid: str
    title: str
    body: str
    law: str = ""
    path: tuple[str, ...] = ()
    clauses: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """Title and body, as a reader would see them."""
        return f"{self.title}\n{self.body}" if self.title else self.body


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of one article's body that fits a model's input.

    Attributes:
        cid: Article it was cut from.
        number: 0 for the first piece of the article.
        text: Clean text, without the article's title.
        segmented: The same text after PyVi word segmentation.
    """

    cid: str
    number: int
    text: str
    segmented: str = ""


@dataclass(frozen=True)
class Corpus:
    """Everything that can be found: articles and the passages they were cut into.

    Attributes:
        articles: In source order; ``cid`` is unique.
        passages: Grouped by article, in article order, at least one each.
        segmented_titles: PyVi-segmented title of each article, same order as ``articles``.
    """

    articles: tuple[Article, ...]
    passages: tuple[Passage, ...]
    segmented_titles: tuple[str, ...] = ()

    @cached_property
    def cids(self) -> tuple[str, ...]:
        """Article ids in order."""
        return tuple(article.cid for article in self.articles)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row of each article id in ``articles``."""
        return {cid: row for row, cid in enumerate(self.cids)}

    @cached_property
    def article_rows(self) -> NDArray[np.int32]:
        """(P,) row in ``articles`` of each passage."""
        return np.fromiter((self.row_of[p.cid] for p in self.passages), np.int32, len(self.passages))


@dataclass(frozen=True, slots=True)
class Query:
    """A question and the articles that answer it.

    Attributes:
        qid: Identifier, unique in its dataset.
        text: Clean text.
        cids: Relevant article ids; empty when unknown (a live question).
        segmented: The same text after PyVi word segmentation.
        source: Where it came from: ``title``, ``natural``, ``csv``, or a kind of weak supervision.
        split: ``train``, ``validation``, ``test`` or empty.
    """

    qid: str
    text: str
    cids: tuple[str, ...] = ()
    segmented: str = ""
    source: str = "csv"
    split: str = ""


@dataclass(frozen=True)
class Dataset:
    """What one pipeline run works on; each data step returns a fuller one.

    Attributes:
        corpus: Everything that can be found; ``passages`` is empty until the articles are cut.
        queries: Every query of every split; ``split`` is empty until they are split.
    """

    corpus: Corpus
    queries: tuple[Query, ...]

    def select(self, split: str, *sources: str) -> list[Query]:
        """Queries of one split, of some sources only where any are named."""
        return [q for q in self.queries if q.split == split and (not sources or q.source in sources)]


def qrels_of(queries: Sequence[Query]) -> dict[str, frozenset[str]]:
    """Relevant article ids by query id."""
    return {query.qid: frozenset(query.cids) for query in queries}


@dataclass(frozen=True, slots=True)
class Hit:
    """One article in an answer, with its score."""

    cid: str
    score: float


@dataclass(frozen=True)
class TrecRun:
    """Ranked articles for a list of queries, best first.

    Attributes:
        name: Tag, such as ``bm25`` or ``reranked``.
        qids: (Q,) query ids.
        cids: (C,) article ids that ``rows`` points into.
        rows: (Q, K) int32, row in ``cids`` of each hit, best first; -1 pads a short list at its end.
        scores: (Q, K) float32, not increasing along a row; -inf where ``rows`` is -1.
    """

    name: str
    qids: tuple[str, ...]
    cids: tuple[str, ...]
    rows: NDArray[np.int32]
    scores: NDArray[np.float32]

    def hits(self, position: int) -> list[Hit]:
        """Hits of the query at ``position``, best first."""
        pairs = zip(self.rows[position], self.scores[position], strict=True)
        return [Hit(self.cids[row], float(score)) for row, score in pairs if row >= 0]

    def select(self, qids: Sequence[str]) -> TrecRun:
        """The same run for some of its queries, in the order given.

        Raises:
            KeyError: If a query id is not in the run.
        """
        position = {qid: index for index, qid in enumerate(self.qids)}
        keep = [position[qid] for qid in qids]
        return TrecRun(self.name, tuple(qids), self.cids, self.rows[keep], self.scores[keep])

    def __iter__(self) -> Iterator[tuple[str, list[Hit]]]:
        """Query id and hits, in order."""
        return ((qid, self.hits(position)) for position, qid in enumerate(self.qids))


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict that can be stored, read and posted.

    Attributes:
        subject: What was judged, such as ``legal-retriever``.
        passed: The verdict.
        reasons: One sentence for each rule, in the order judged.
        values: The numbers the rules looked at.
        gates: Whether each rule was passed, by its name; empty in decisions stored before rules had names.
    """

    subject: str
    passed: bool
    reasons: tuple[str, ...]
    values: Mapping[str, float] = field(default_factory=dict)
    gates: Mapping[str, bool] = field(default_factory=dict)
