"""Train, validation and test: queries that share a text or a gold article fall into one split."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from retrieval.config.schema import DataConfig
from retrieval.data.cleaning import text_key
from retrieval.data.identifiers import shown
from retrieval.data.weak_supervision import QUESTION, TRAINING_SOURCES
from retrieval.errors import ValidationError
from retrieval.records import Dataset, Query

TRAIN, VALIDATION, TEST = "train", "validation", "test"
NATURAL = "natural"
_PARTS = 3
"""Train, validation and test."""


def split_queries(dataset: Dataset, config: DataConfig, seed: int) -> Dataset:
    """Give every query a split, so that nothing the model is judged on was seen in training.

    Queries that share a text (after ``text_key``) or a gold article, directly or through others, are one group and
    never parted; with ``data.seen_golds`` only the text counts. Groups with natural questions are shared out half to
    validation, half to test; the other groups fill validation and test up to their shares of all titles (or
    questions), the rest trains. Weak queries and training questions train when they share no gold and no text with
    validation or test, and are left out otherwise; titles of articles without training questions are held out first.

    Queries that already have a split (a test file of its own) keep it; the others of their groups are left out.

    Args:
        dataset: Queries of all sources.
        config: Shares, and whether a test file was given.
        seed: Decides which group goes where.

    Returns:
        The dataset with the kept queries in their old order.

    Raises:
        ValidationError: If fewer than two queries are left to train on, all of them have the same answer, or none is
            left to test with.
    """
    judged = [query for query in dataset.queries if query.source not in TRAINING_SOURCES]
    groups = _groups(judged, by_gold=not config.seen_golds)
    asked = {cid for query in dataset.queries if query.source == QUESTION for cid in query.cids}
    split_of = _assign(groups, asked, config, seed)
    kept = [replace(query, split=split_of[query.qid]) for query in judged if query.qid in split_of]
    weak = _clean_of([query for query in kept if query.split != TRAIN], dataset.queries)
    splits = {query.qid: query for query in [*kept, *weak]}
    _check_split(dataset.queries, splits, config)
    return replace(dataset, queries=tuple(splits[query.qid] for query in dataset.queries if query.qid in splits))


def _check_split(queries: Sequence[Query], splits: Mapping[str, Query], config: DataConfig) -> None:
    """Refuse a split that a training fails on, or learns nothing from, minutes later."""
    train = [query for query in splits.values() if query.split == TRAIN]
    count = f"{len(train) or 'none'} of {len(queries)} questions is left to train on after the split"
    if len(train) < 2 and any(query.split == TEST for query in queries) and not config.seen_golds:
        raise ValidationError(
            f"data: {count}: the others share a text or an article with data.test_questions; give other test questions,"
            " or allow shared articles with data.seen_golds: true"
        )
    if len(train) < 2:
        raise ValidationError(
            f"data: {count}, and ranking is learned from two or more;"
            " raise data.train_share, add questions, or allow shared articles with data.seen_golds: true"
        )
    golds = {cid for query in train for cid in query.cids}
    if len(golds) == 1:
        raise ValidationError(
            f"data: article {shown(min(golds))} answers all {len(train)} questions that are left to train on, so there"
            " is nothing to tell apart; add questions about other articles"
        )
    if not any(query.split == TEST for query in splits.values()):
        raise ValidationError(
            f"data: none of {len(queries)} questions is left to test with after the split (data.train_share"
            f" {config.train_share:g}, data.validation_share {config.validation_share:g}; {_why_together(queries)}"
        )


def _why_together(queries: Sequence[Query]) -> str:
    """Which questions no split can part, and what helps."""
    texts = len({text_key(query.text) for query in queries})
    asked = len({cid for query in queries for cid in query.cids})
    if texts < _PARTS:
        return f"they have {texts} different texts, and equal ones stay together); ask other questions too"
    return (
        f"they ask about {asked} articles, and those that share one stay together); lower one, add questions, give"
        " data.test_questions, or allow shared articles with data.seen_golds: true"
    )


def _clean_of(held_out: Sequence[Query], queries: Sequence[Query]) -> list[Query]:
    """Weak queries, now training ones, that share neither gold nor text with a held-out query."""
    golds = {cid for query in held_out for cid in query.cids}
    texts = {text_key(query.text) for query in held_out}
    weak = (query for query in queries if query.source in TRAINING_SOURCES)
    return [
        replace(query, split=TRAIN)
        for query in weak
        if golds.isdisjoint(query.cids) and text_key(query.text) not in texts
    ]


@dataclass
class _Forest:
    """Disjoint sets of hashable things (union-find with path halving)."""

    parent: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def root(self, item: tuple[str, str]) -> tuple[str, str]:
        self.parent.setdefault(item, item)
        while self.parent[item] != item:
            self.parent[item] = self.parent[self.parent[item]]
            item = self.parent[item]
        return item

    def join(self, left: tuple[str, str], right: tuple[str, str]) -> None:
        self.parent[self.root(left)] = self.root(right)


def _groups(queries: Sequence[Query], by_gold: bool) -> list[list[Query]]:
    """Connected components of queries through shared texts and, if asked, golds; in order of their first query."""
    forest = _Forest()
    for query in queries:
        forest.join(("query", query.qid), ("text", text_key(query.text)))
        for cid in query.cids if by_gold else ():
            forest.join(("query", query.qid), ("gold", cid))
    groups: dict[tuple[str, str], list[Query]] = {}
    for query in queries:
        groups.setdefault(forest.root(("query", query.qid)), []).append(query)
    return list(groups.values())


def _assign(groups: list[list[Query]], asked: set[str], config: DataConfig, seed: int) -> dict[str, str]:
    """Split by query id; queries that are left out have none."""
    shuffled = list(groups)
    random.Random(seed).shuffle(shuffled)
    split_of: dict[str, str] = {}
    fixed = [group for group in shuffled if any(query.split for query in group)]
    free = [group for group in shuffled if not any(query.split for query in group)]
    for group in fixed:
        split_of.update({query.qid: query.split for query in group if query.split})
    natural = [group for group in free if any(query.source == NATURAL for query in group)]
    counts: Counter[str] = Counter()
    halves: Counter[str] = Counter()
    for group in sorted(natural, key=len, reverse=True):  # large first, so that the small ones even out the halves
        split = min((VALIDATION, TEST), key=lambda name: halves[name])
        halves[split] += sum(query.source == NATURAL for query in group)
        _put(group, split, split_of, counts)
    rest = [group for group in free if not any(query.source == NATURAL for query in group)]
    # titles of articles that training questions ask about are held out last, since that would cost those questions
    rest.sort(key=lambda group: not asked.isdisjoint(cid for query in group for cid in query.cids))
    targets = _targets(sum(query.source != NATURAL for group in free for query in group), bool(fixed), config)
    for group in rest:
        fitting = (name for name in (TEST, VALIDATION) if counts[name] + len(group) <= targets[name])
        _put(group, next(fitting, TRAIN), split_of, counts)
    return split_of


def _put(group: list[Query], split: str, split_of: dict[str, str], counts: Counter[str]) -> None:
    split_of.update({query.qid: split for query in group})
    counts[split] += sum(query.source != NATURAL for query in group)


def _targets(total: int, has_test: bool, config: DataConfig) -> dict[str, int]:
    """Titles or questions wanted in validation and test."""
    test_share = 0.0 if has_test else 1.0 - config.train_share - config.validation_share
    return {VALIDATION: round(config.validation_share * total), TEST: round(test_share * total)}
