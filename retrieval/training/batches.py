"""From training queries to batches of texts with their masks, the same for one seed and epoch on every machine."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from retrieval.records import Query
from retrieval.training.examples import ArticleTexts, Example, PassageChoice, choose_passage

Item = TypeVar("Item")


def generator(seed: int, epoch: int, name: str = "") -> np.random.Generator:
    """Random numbers that depend on the seed, the epoch and a name alone, not on what was drawn before."""
    return np.random.default_rng([seed, epoch, zlib.crc32(name.encode())])


def shuffled_groups(items: Sequence[Item], size: int, seed: int, epoch: int) -> Iterator[list[Item]]:
    """Items in this epoch's order, ``size`` at a time; a last group of a single item is left out."""
    order = generator(seed, epoch).permutation(len(items))
    for start in range(0, len(items), size):
        rows = order[start : start + size]
        if len(rows) > 1 or len(items) == 1 or size == 1:
            yield [items[int(row)] for row in rows]


def draw_training_queries(queries: Sequence[Query], count: int, seed: int) -> list[Query]:
    """``count`` of the queries, drawn by seed and in their old order; all of them where ``count`` is 0 or too large."""
    if not 0 < count < len(queries):
        return list(queries)
    drawn = generator(seed, 0, "training queries").permutation(len(queries))[:count]
    return [queries[int(row)] for row in sorted(drawn)]


@dataclass(frozen=True, slots=True)
class RankingBatch:
    """Queries and the passages they are ranked against.

    Attributes:
        queries: B texts.
        passages: P distinct texts.
        positives: (B, P) True where the passage is the query's own positive.
        excluded: (B, P) True where it belongs to another relevant article or is another piece of one.
        weights: (B,) float32, what each query counts in the loss.
    """

    queries: tuple[str, ...]
    passages: tuple[str, ...]
    positives: NDArray[np.bool_]
    excluded: NDArray[np.bool_]
    weights: NDArray[np.float32]


@dataclass(frozen=True)
class RankingPlan:
    """Everything that decides the batches of a bi-encoder's training.

    Attributes:
        examples: Training queries.
        texts: What the model reads of each article.
        negatives: Mined article ids by query id.
        hard_negatives: Mined articles a query brings along, at most.
        passage_choice: Which passage stands for an article.
        title_share: Share of queries not made from titles that learn their article's title.
        batch_queries: Queries in a batch, where ``batch_articles`` is 0.
        seed: Of the order and all choices.
        batch_articles: Articles in a batch, each with all its queries, which then share its passage.
        neighbours: Articles that follow one another in the corpus and stay together in such a batch.
        title_query_weight: What a query made from a title counts in the loss, where another counts 1.
    """

    examples: Sequence[Example]
    texts: ArticleTexts
    negatives: Mapping[str, Sequence[str]]
    hard_negatives: int
    passage_choice: PassageChoice
    title_share: float
    batch_queries: int
    seed: int
    batch_articles: int = 0
    neighbours: int = 8
    title_query_weight: float = 1.0

    def batches(self, epoch: int) -> list[RankingBatch]:
        """All batches of one epoch, in order."""
        if self.batch_articles:
            groups = self._article_groups(epoch)
        else:
            groups = shuffled_groups(self.examples, self.batch_queries, self.seed, epoch)
        return [self._batch(group, epoch) for group in groups]

    def _article_groups(self, epoch: int) -> Iterator[list[Example]]:
        """Batches of whole articles in runs of neighbours, which are each other's hardest negatives in law.

        Where the runs begin differs from epoch to epoch. An example belongs to its first gold article.
        """
        by_article: dict[str, list[Example]] = {cid: [] for cid in self.texts.passages}  # in corpus order
        for example in self.examples:
            by_article[example.golds[0]].append(example)
        asked = [examples for examples in by_article.values() if examples]
        random = generator(self.seed, epoch, "runs of neighbours")
        first = int(random.integers(self.neighbours))
        starts = [0, *range(first, len(asked), self.neighbours)] if first else range(0, len(asked), self.neighbours)
        ends = [*starts[1:], len(asked)]
        runs = [asked[start:end] for start, end in zip(starts, ends, strict=True)]
        shuffled = [article for position in random.permutation(len(runs)) for article in runs[int(position)]]
        for start in range(0, len(shuffled), self.batch_articles):
            group = shuffled[start : start + self.batch_articles]
            if len(group) > 1 or len(shuffled) == 1:
                yield [example for article in group for example in article]

    def _batch(self, group: Sequence[Example], epoch: int) -> RankingBatch:
        column: dict[str, int] = {}  # distinct text -> its column
        holders: list[set[str]] = []  # articles that hold each column's text
        own = []
        for example in group:
            pieces = self._pieces(example, epoch)
            for cid, text in pieces:
                if column.setdefault(text, len(holders)) == len(holders):
                    holders.append(set())
                holders[column[text]].add(cid)
            own.append(column[pieces[0][1]])
        excluded = np.array([[bool(example.relevant & cids) for cids in holders] for example in group])  # (B, P)
        positives = np.zeros_like(excluded)
        positives[np.arange(len(group)), own] = True
        weights = np.array([self.title_query_weight if e.from_title else 1.0 for e in group], np.float32)
        return RankingBatch(tuple(e.text for e in group), tuple(column), positives, excluded & ~positives, weights)

    def _pieces(self, example: Example, epoch: int) -> list[tuple[str, str]]:
        """The query's positive and its hard negatives, as article id and text."""
        random = generator(self.seed, epoch, example.qid)
        gold = example.golds[int(random.integers(len(example.golds)))]
        learns_title = not example.from_title and gold in self.texts.titles and random.random() < self.title_share
        positive = self.texts.titles[gold] if learns_title else self._passage(example, gold, epoch)
        mined = [
            cid
            for cid in self.negatives.get(example.qid, ())
            if cid in self.texts.passages and cid not in example.relevant
        ]
        drawn = random.permutation(len(mined))[: self.hard_negatives]
        return [(gold, positive), *((mined[i], self._passage(example, mined[i], epoch)) for i in sorted(drawn))]

    def _passage(self, example: Example, cid: str, epoch: int) -> str:
        return choose_passage(example.text, self.texts.passages[cid], self.passage_choice, epoch)


def content_fingerprint(batches: Callable[[int], Sequence[object]]) -> str:
    """SHA-256 over the texts and masks of the first epoch, which tells one training set from another."""
    digest = hashlib.sha256()
    for batch in batches(0):
        digest.update(repr(batch).encode())
    return digest.hexdigest()
