"""Which words of a text answer to a question's words, and the part of a text that has most of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
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
    counts = Counter(syllable for article in sample for syllable in {*_syllables(article.text)})
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
    asked = _neighbours(question)
    pairs = {(left, right) for left, right, _ in asked if not (left in common and right in common)}
    alone = {syllable for syllable in _syllables(question) if syllable not in common}
    spans = [match.span() for match in _WORD.finditer(text) if match.group().lower() in alone]
    spans += [span for left, right, span in _neighbours(text) if (left, right) in pairs]
    return _joined(text, spans)


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
    starts = [0, *(_opening(text, start) for start, _ in spans)]
    first = max(starts, key=lambda start: (_marked(line, spans, start, start + characters), -start))
    first = min(first, _word_start(line, max(0, len(line) - characters)))
    last = len(line) if len(line) - first <= characters else _word_end(line, first, first + characters)
    before, after = _ELLIPSIS if first else "", " …" if last < len(line) else ""
    moved = len(before) - first
    inside = [
        (max(start, first) + moved, min(end, last) + moved) for start, end in spans if start < last and end > first
    ]
    return before + line[first:last] + after, inside


def _syllables(text: str) -> list[str]:
    return [match.group().lower() for match in _WORD.finditer(text)]


def _neighbours(text: str) -> list[tuple[str, str, Span]]:
    """Two syllables with nothing but one space between them, and where they stand."""
    return [
        (left.group().lower(), right.group().lower(), (left.start(), right.end()))
        for left, right in pairwise(_WORD.finditer(text))
        if text[left.end() : right.start()] == " "
    ]


def _joined(text: str, spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and (start <= joined[-1][1] or text[joined[-1][1] : start] == " "):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _marked(line: str, spans: Sequence[Span], first: int, last: int) -> int:
    """Different syllables marked in a part: what is repeated tells no more than once."""
    inside = (line[max(start, first) : min(end, last)] for start, end in spans)
    return len({syllable for piece in inside for syllable in _syllables(piece)})


def _opening(text: str, start: int) -> int:
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
