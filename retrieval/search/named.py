"""Laws and article numbers that a question names, such as "Điều 113 Bộ luật Lao động", and what they are worth."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from retrieval.data.layout import law_number_of, number_of
from retrieval.records import Corpus, Query, Run
from retrieval.search.ranking import run_of, top_k

_WORD = re.compile(r"[\w/–-]+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_PARTS = frozenset({"điều", "khoản", "điểm"})
_NUMBER = re.compile(r"\d*[a-zđ]?")
_BEFORE_LUAT = frozenset({"pháp", "kỷ", "kỉ", "quy"})
"""Syllables that make another word with "luật": law in general, discipline, rule."""

_Value = TypeVar("_Value")
Rows = frozenset[int]
"""Rows of articles in their corpus."""


@dataclass(frozen=True)
class NamedLaws:
    """The ways in which a question can name the laws of a corpus and their articles.

    Attributes:
        laws: Each way to write a law, in small letters, and its articles.
        years: The same ways and the years in those laws' names.
        numbers: Article numbers, in small letters, and the articles that have them.
    """

    laws: Mapping[str, Rows]
    years: Mapping[str, frozenset[str]]
    numbers: Mapping[str, Rows]

    @classmethod
    def of(cls, corpus: Corpus) -> NamedLaws:
        """Read the names off a corpus; one without laws has none."""
        laws: dict[str, set[int]] = {}
        years: dict[str, set[str]] = {}
        numbers: dict[str, set[int]] = {}
        for row, article in enumerate(corpus.articles):
            for form in _forms(article.law, law_number_of(article.cid)):
                laws.setdefault(form, set()).add(row)
                years.setdefault(form, set()).update(_YEAR.findall(article.law))
            if number := number_of(article.cid):
                numbers.setdefault(number.lower(), set()).add(row)
        return cls(_frozen(laws), _frozen(years), _frozen(numbers))

    def articles(self, question: str) -> tuple[Rows, Rows]:
        """What a question names.

        Returns:
            The articles it names by law and number, or by number where it says nothing else; the other articles of the
            laws it names, or, where it names no law, the articles with a number it names.
        """
        words = _WORD.findall(question.lower())
        of_laws = Rows().union(*(self.laws[form] for form in self._written(words)))
        after = (word for before, word in pairwise(words) if before == "điều")
        numbered = Rows().union(*(self.numbers.get(word, Rows()) for word in after))
        alone = all(word in _PARTS or _NUMBER.fullmatch(word) for word in words)
        exact = numbered if alone else of_laws & numbered
        return exact, (of_laws or numbered) - exact

    def favour(self, run: Run, queries: Sequence[Query], weight: float) -> Run:
        """A run in which what a question names comes sooner.

        Articles named by law and number come first, found or not; found ones of a law that is named, or with a number
        that is named without a law, gain ``weight``.

        Args:
            run: With scores within [0, 1], as they are afterwards.
            queries: (Q,) the run's queries, in its order.
            weight: Above 0; at 0 the run stays as it is.
        """
        named = [self.articles(query.text) for query in queries] if weight else []
        if not any(exact or others for exact, others in named):
            return run
        rows, scores = run.rows.copy(), run.scores.copy()
        for position, (exact, others) in enumerate(named):
            if exact or others:
                values = _laid_out(run, position)
                values[list(others)] += weight
                values[list(exact)] = np.maximum(values[list(exact)], 0.0) + 1.0 + weight
                found, best = top_k(values[None] / (1.0 + weight + bool(exact)), rows.shape[1])
                rows[position], scores[position] = found[0], best[0]
        return run_of(run.name, run.qids, run.cids, rows, scores)

    @cached_property
    def _longest(self) -> int:
        """Words of the longest name."""
        return max((form.count(" ") + 1 for form in self.laws), default=0)

    def _written(self, words: Sequence[str]) -> Iterator[str]:
        """The laws' names among the words of a question."""
        for start in range(len(words)):
            for end in range(start + 1, min(start + self._longest, len(words)) + 1):
                form = " ".join(words[start:end])
                if form in self.laws and self._is_meant(form, words[:start], words[end:]):
                    yield form

    def _is_meant(self, form: str, before: Sequence[str], after: Sequence[str]) -> bool:
        """Not another year's law of that name, nor the end of a longer word such as "kỷ luật lao động"."""
        year = next((word for word in after[:2] if word != "năm"), "")
        another = bool(_YEAR.fullmatch(year)) and year not in self.years[form]
        inside = form.startswith("luật ") and before[-1:] and before[-1] in _BEFORE_LUAT
        return not another and not inside


def _forms(law: str, number: str) -> Iterator[str]:
    """Ways to write a law: its number, its name without year and country, without "bộ", abbreviated (BLLĐ)."""
    words = [word for word in _WORD.findall(law.lower()) if not _YEAR.fullmatch(word)]
    name = " ".join(words).removesuffix(" việt nam")
    yield from filter(None, (number.lower(), name))
    if name.startswith("bộ luật "):
        yield name.removeprefix("bộ ")
        yield "".join(word[0] for word in name.split())


def _frozen(sets: Mapping[str, set[_Value]]) -> dict[str, frozenset[_Value]]:
    return {key: frozenset(values) for key, values in sets.items()}


def _laid_out(run: Run, position: int) -> NDArray[np.float32]:
    """(C,) scores of one query by article, -inf where an article was not found."""
    values = np.full(len(run.cids), -np.inf, np.float32)
    found = run.rows[position] >= 0
    values[run.rows[position][found]] = run.scores[position][found]
    return values
