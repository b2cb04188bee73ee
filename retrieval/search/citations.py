"""Laws and article numbers that a question names, such as "Điều 113 Bộ luật Lao động", and what they are worth."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retrieval.data.layout import law_number_of, number_of
from retrieval.records import Corpus, TrecRun
from retrieval.search.ranking import run_of, top_k

_WORD = re.compile(r"[\w/–-]+")
_COMMAS, _PAUSES = frozenset(",;"), frozenset(",;:.?!")
_YEAR = re.compile(r"(?:19|20)\d\d")
_LAW_NUMBER = re.compile(r"\d+/(?:((?:19|20)\d\d)/)?[^/]+")
_ARTICLE_NUMBER = re.compile(r"\d+[a-zđ]?")
_NUMBER_OR_POINT = re.compile(r"\d*[a-zđ]?")
_BEFORE_YEAR = frozenset({"năm", "số", "việt", "nam"})
_JOINING = frozenset({"và", "hoặc", "hay"})
_PARTS = frozenset({"điều", "khoản", "điểm"})
_NOT_COUNTED = _JOINING | _PARTS | {"của", "tại", "theo", "trong", "quy", "nói", "là", "có", "thì"}
"""Words after a number that it does not count, as it would in "2 ngày"."""
_NO_LAW = frozenset({"pháp", "kỷ", "kỉ", "quy", "dự"})
"""Syllables that make another word with "luật": law in general, discipline, rule, bill."""
_OTHER_TEXTS = frozenset({"luật", "nghị định", "thông tư", "hợp đồng"})
"""What else has articles; followed by no known name it says that they are not those of the corpus."""
_LOWEST = 0.1
"""Scores of the rest where an article is named: a reranker whose share is below 0.44 does not put one of them first."""

Rows = frozenset[int]
"""Rows of articles in their corpus."""
_NONE: Rows = frozenset()


@dataclass(frozen=True, slots=True)
class Named:
    """What one question names.

    Attributes:
        articles: Named by law and number, or by number where the question says nothing else.
        parts: The other articles of the laws it names; where it names no text at all, those with a number it names.
    """

    articles: Rows = _NONE
    parts: Rows = _NONE


@dataclass(frozen=True)
class CitedLaws:
    """The ways in which a question can name the laws of a corpus and their articles.

    Attributes:
        laws: Each way to write a law, in small letters, and its articles by the law's year, "" where that is unknown.
        numbers: Article numbers, in small letters, and the articles that have them.
    """

    laws: Mapping[str, Mapping[str, Rows]]
    numbers: Mapping[str, Rows]

    @classmethod
    def of(cls, corpus: Corpus) -> CitedLaws:
        """Read the names off a corpus; one without laws has none."""
        of_law: dict[tuple[str, str], set[int]] = {}
        numbers: dict[str, set[int]] = {}
        for row, article in enumerate(corpus.articles):
            of_law.setdefault((article.law, law_number_of(article.cid)), set()).add(row)
            if number := number_of(article.cid):
                numbers.setdefault(number.lower(), set()).add(row)
        laws: dict[str, dict[str, Rows]] = {}
        for (law, number), rows in of_law.items():
            for form, year in _forms(law, number):
                years = laws.setdefault(form, {})
                years[year] = years.get(year, _NONE) | rows
        return cls(laws, {number: Rows(rows) for number, rows in numbers.items()})

    def named(self, question: str) -> Named:
        """What a question names; each number belongs to the law after it, or else before it.

        Args:
            question: Clean text.
        """
        words, gaps = self._words(question.lower())
        laws = list(self._laws(words, gaps))
        numbered = [
            (place, self.numbers.get(words[place].lstrip("0"), _NONE))
            for place in _numbers(words, gaps, {start for start, _ in laws})
        ]
        of_numbers = _NONE.union(*(rows for _, rows in numbered))
        if all(word in _PARTS | _JOINING or _NUMBER_OR_POINT.fullmatch(word) for word in words):
            return Named(articles=of_numbers)
        if not laws:
            return Named(parts=of_numbers)
        articles = _NONE.union(*(rows & _nearest(laws, place) for place, rows in numbered))
        return Named(articles, _NONE.union(*(rows for _, rows in laws)) - articles)

    @cached_property
    def _longest(self) -> int:
        """Words of the longest name."""
        return max((form.count(" ") + 1 for form in self.laws), default=0)

    def _words(self, question: str) -> tuple[list[str], list[str]]:
        """The words of a question, "2/blds" as two, and what stands before each."""
        words: list[str] = []
        gaps: list[str] = []
        end = 0
        for found in _WORD.finditer(question):
            number, _, form = found[0].partition("/")
            parts = [number, form] if number[:1].isdigit() and form in self.laws else [found[0]]
            words += parts
            gaps += [question[end : found.start()], ""][: len(parts)]
            end = found.end()
        return words, gaps

    def _laws(self, words: Sequence[str], gaps: Sequence[str]) -> Iterator[tuple[int, Rows]]:
        """Where a question names a law or another text, and the articles of it that the corpus has."""
        start = 0
        while start < len(words):
            end = next((end for end in self._ends(start, len(words)) if " ".join(words[start:end]) in self.laws), start)
            inside = words[start] == "luật" and start > 0 and words[start - 1] in _NO_LAW
            if end > start and not inside:
                yield start, self._of_year(" ".join(words[start:end]), _said_of_law(words, gaps, end))
            elif not inside and _is_other_text(words[start : start + 2]):
                yield start, _NONE
            start = max(end, start + 1)

    def _ends(self, start: int, size: int) -> range:
        """Where a name that begins at ``start`` can end, the longest first."""
        return range(min(start + self._longest, size), start, -1)

    def _of_year(self, form: str, said: str) -> Rows:
        """Articles of the law of a name and the year or number said after it; of all of that name where none is."""
        years, law_number = self.laws[form], _LAW_NUMBER.fullmatch(said)
        year = law_number[1] if law_number else said if _YEAR.fullmatch(said) else None
        if year is None or list(years) == [""]:
            return _NONE.union(*years.values())
        return years.get(year, _NONE)


def boost_cited(run: TrecRun, named: Sequence[Named], weight: float) -> TrecRun:
    """A run in which what its questions name comes sooner.

    Found articles of `Named.parts` gain ``weight`` before all scores are brought back to [0, 1]. Those of
    `Named.articles` come first, found or not.

    Args:
        run: With scores within [0, 1].
        named: (Q,) what each question names; empty where nobody looked.
        weight: At least 0.
    """
    if not any(one.articles or one.parts for one in named):
        return run
    rows, scores = run.rows.copy(), run.scores.copy()
    for position, one in enumerate(named):
        if one.articles or one.parts:
            values = _laid_out(run, position)
            values[list(one.parts)] += weight
            values /= 1.0 + weight
            if one.articles:
                first = list(one.articles)
                own = np.maximum(values[first], 0.0)
                values *= _LOWEST
                values[first] = 1.0 - _LOWEST + _LOWEST * own
            found, best = top_k(values[None], rows.shape[1])
            rows[position], scores[position] = found[0], best[0]
    return run_of(run.name, run.qids, run.cids, rows, scores)


def _laid_out(run: TrecRun, position: int) -> NDArray[np.float32]:
    """(C,) scores of one query by article, -inf where an article was not found."""
    values = np.full(len(run.cids), -np.inf, np.float32)
    found = run.rows[position] >= 0
    values[run.rows[position][found]] = run.scores[position][found]
    return values


def _said_of_law(words: Sequence[str], gaps: Sequence[str], end: int) -> str:
    """The word after a law's name and what leads up to its year; "" where it begins another clause."""
    place = next((place for place in range(end, len(words)) if words[place] not in _BEFORE_YEAR), None)
    if place is None:
        return ""
    paused = any(_PAUSES & set(gap) for gap in gaps[end : place + 1])
    return "" if paused and "/" not in words[place] and place + 1 < len(words) else words[place]


def _numbers(words: Sequence[str], gaps: Sequence[str], laws: Collection[int]) -> Iterator[int]:
    """Places of article numbers: after each "điều" one, or a list of them.

    Of "điều 1, 2 ngày" only the 1 is taken: what stands after a list must not be a thing that its last number counts.
    """
    for start in range(1, len(words)):
        if words[start - 1] == "điều":
            listed = [start, *_listed(words, gaps, start)]
            after = listed[-1] + 1
            ends = after == len(words) or after in laws or words[after] in _NOT_COUNTED or _PAUSES & set(gaps[after])
            yield from listed if ends else listed[:1]


def _listed(words: Sequence[str], gaps: Sequence[str], place: int) -> Iterator[int]:
    """Places of the numbers that go on from one, each after a comma, "và" or both."""
    while place + 1 < len(words):
        following = place + 1
        joined = bool(_COMMAS & set(gaps[following]))
        if words[following] in _JOINING:
            following, joined = following + 1, True
        if not joined or following == len(words) or not _ARTICLE_NUMBER.fullmatch(words[following]):
            return
        yield (place := following)


def _nearest(laws: Sequence[tuple[int, Rows]], place: int) -> Rows:
    """The articles of the first law that is named after a place, or of the last one before it."""
    return next((rows for start, rows in laws if start > place), laws[-1][1])


def _is_other_text(words: Sequence[str]) -> bool:
    return words[0] in _OTHER_TEXTS or " ".join(words) in _OTHER_TEXTS or bool(_LAW_NUMBER.fullmatch(words[0]))


def _forms(law: str, number: str) -> Iterator[tuple[str, str]]:
    """Ways to write a law, with its year: by its number; by name, also without "bộ"; abbreviated (BLLĐ)."""
    words = _WORD.findall(law.lower())
    law_number = _LAW_NUMBER.fullmatch(number.lower())
    if law_number:
        yield number.lower(), ""
    year = next(filter(_YEAR.fullmatch, reversed(words)), (law_number and law_number[1]) or "")
    name = " ".join(word for word in words if not _YEAR.fullmatch(word)).removesuffix(" việt nam")
    if name:
        yield name, year
    if name.startswith("bộ luật "):
        yield name.removeprefix("bộ "), year
        yield "".join(word[0] for word in name.split()), year
