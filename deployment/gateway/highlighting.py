"""Which words of a text answer to a question's words, and the part of a text that has most of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from retrieval.records import Article

Span = tuple[int, int]
"""Start and end of a piece of text, in characters (Unicode code points)."""

_WORD = re.compile(r"\w+")
_COMMON_SHARE = 0.2
_SAMPLE = 3_000
_CONTEXT_CHARACTERS = 60
_ELLIPSIS = "… "


def common_syllables(articles: Sequence[Article]) -> frozenset[str]:
    """Syllables that stand in more than a fifth of the articles, so that they say little by themselves.

    Args:
        articles: Those of the corpus; every n-th is looked at, about 3,000 in all.
    """
    sample = articles[:: max(1, len(articles) // _SAMPLE)]
    counts = Counter(syllable for article in sample for syllable in {word for word, _, _ in _words(article.text)})
    return frozenset(syllable for syllable, count in counts.items() if count > _COMMON_SHARE * len(sample))


def matching_spans(text: str, question: str, common: frozenset[str]) -> list[Span]:
    """Where a text has words of a question.

    A compound word is written as several syllables, each of them common: two neighbours of the question count where
    they are neighbours in the text and at least one of them is not common; alone only an uncommon syllable counts.

    Args:
        text: Clean text.
        question: Clean question.
        common: From `common_syllables`.

    Returns:
        Spans in order that do not touch: what is marked side by side is one span.
    """
    alone, pairs = _asked(question, common)
    words = _words(text)
    spans = [(start, end) for word, start, end in words if word in alone]
    for (left, start, end), (right, after, last) in pairwise(words):
        if (left, right) in pairs and text[end:after] == " ":
            spans.append((start, last))
    return _joined(text, spans)


@lru_cache(maxsize=64)
def _asked(question: str, common: frozenset[str]) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    """Syllables of a question that count alone, and those that count as neighbours."""
    words = _words(question)
    alone = frozenset(word for word, _, _ in words if word not in common)
    pairs = frozenset(
        (left, right)
        for (left, _, end), (right, after, _) in pairwise(words)
        if question[end:after] == " " and not (left in common and right in common)
    )
    return alone, pairs


def best_part(text: str, spans: Sequence[Span], characters: int) -> tuple[str, list[Span]]:
    """The part of a text with the most different marked syllables, on one line, cut between words.

    Args:
        text: Clean text.
        spans: Marked in it, in order.
        characters: Length of the part, at most; the signs of omission come on top.

    Returns:
        The part, and the spans within it.
    """
    line = text.replace("\n", " ")
    syllables = [frozenset(word for word, _, _ in _words(line[start:end])) for start, end in spans]

    def different(first: int) -> int:  # what is repeated tells no more than once
        inside = (
            one for (start, end), one in zip(spans, syllables, strict=True) if first <= start < first + characters
        )
        return len(frozenset().union(*inside))

    starts = {0, *(_start_of_part(text, start) for start, _ in spans)}
    first = max(starts, key=lambda start: (different(start), -start))
    first = min(first, _word_start(line, max(0, len(line) - characters)))
    last = len(line) if len(line) - first <= characters else _word_end(line, first, first + characters)
    before, after = _ELLIPSIS if first else "", " …" if last < len(line) else ""
    moved = len(before) - first
    inside = [
        (max(start, first) + moved, min(end, last) + moved) for start, end in spans if start < last and end > first
    ]
    return before + line[first:last] + after, inside


def _words(text: str) -> list[tuple[str, int, int]]:
    """Syllables in lower case, and where each begins and ends."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters of other languages grow
        return [(match.group().lower(), *match.span()) for match in _WORD.finditer(text)]
    return [(match.group(), *match.span()) for match in _WORD.finditer(lowered)]


def _joined(text: str, spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and (start <= joined[-1][1] or text[joined[-1][1] : start] == " "):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _start_of_part(text: str, start: int) -> int:
    """Where a part with a marked word begins: at the start of its line if that is near, else some words before."""
    line = text.rfind("\n", max(0, start - 2 * _CONTEXT_CHARACTERS), start)
    return line + 1 if line >= 0 else _word_start(text, start - _CONTEXT_CHARACTERS)


def _word_start(line: str, position: int) -> int:
    """The start of the word at or after a position; 0 before the beginning."""
    if position <= 0:
        return 0
    space = line.find(" ", position - 1)
    return position if space < 0 else space + 1


def _word_end(line: str, first: int, position: int) -> int:
    """The end of the last whole word before a position; the position where there is only one word."""
    space = line.rfind(" ", first + 1, position + 1)
    return position if space < 0 else space
