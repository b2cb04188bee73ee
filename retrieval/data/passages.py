"""Articles cut into passages that fit a model's input, on khoản boundaries where they exist."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from retrieval.records import Article, Passage

Offsets = Callable[[list[str]], list[list[tuple[int, int]]]]
"""Character start and end of each token of each text, in order."""

_BATCH_ARTICLES = 1024
_WORD_TOKENS = 16  # how far back a cut looks for the start of a word


def cut_passages(
    articles: Sequence[Article], offsets: Offsets, max_tokens: int, overlap_tokens: int
) -> tuple[Passage, ...]:
    """Cut every article's body; what is not white space is in at least one passage.

    Neighbouring khoản are packed together up to ``max_tokens``. A khoản (or a body without khoản) that is longer by
    itself is cut into windows of about equal length that share about ``overlap_tokens`` with the next one and begin
    with a whole word.

    Args:
        articles: Clean articles; ``clauses`` are offsets in ``body``.
        offsets: The tokenizer's token positions; tokens of no characters (special ones) are not counted.
        max_tokens: Longest passage, tokens.
        overlap_tokens: Tokens that neighbouring windows of one long khoản share.

    Returns:
        Passages grouped by article, at least one each.

    Raises:
        ValueError: If ``max_tokens`` is not above ``overlap_tokens`` or the latter is negative.
    """
    if not 0 <= overlap_tokens < max_tokens:
        raise ValueError(f"overlap_tokens {overlap_tokens} must be from 0 to below max_tokens {max_tokens}")
    passages: list[Passage] = []
    for first in range(0, len(articles), _BATCH_ARTICLES):
        batch = articles[first : first + _BATCH_ARTICLES]
        for article, spans in zip(batch, offsets([article.body for article in batch]), strict=True):
            starts = np.asarray([start for start, end in spans if end > start], dtype=np.int64)
            pieces = _pieces(article, starts, max_tokens, overlap_tokens)
            texts = [text for start, end in pieces if (text := article.body[start:end].strip())]
            passages.extend(Passage(article.cid, number, text) for number, text in enumerate(texts or [""]))
    return tuple(passages)


def _pieces(
    article: Article, starts: NDArray[np.int64], max_tokens: int, overlap_tokens: int
) -> Iterator[tuple[int, int]]:
    """Character ranges of one article's passages; ``starts`` is where its tokens start, increasing."""
    bounds = sorted({0, *article.clauses, len(article.body)})
    ranks = np.searchsorted(starts, bounds)  # tokens that start before each bound
    tokens_before = {bound: int(rank) for bound, rank in zip(bounds, ranks, strict=True)}
    packed_start = packed_end = 0
    for start, end in pairwise(bounds):
        if tokens_before[end] - tokens_before[packed_start] <= max_tokens:
            packed_end = end
            continue
        if packed_end > packed_start:
            yield packed_start, packed_end
        packed_start, packed_end = start, end
        if tokens_before[end] - tokens_before[start] > max_tokens:
            inside = starts[tokens_before[start] : tokens_before[end]]
            yield from _windows(article.body, (start, end), inside, max_tokens, overlap_tokens)
            packed_start = end
    if packed_end > packed_start:
        yield packed_start, packed_end


def _windows(
    body: str, bounds: tuple[int, int], starts: NDArray[np.int64], max_tokens: int, overlap_tokens: int
) -> Iterator[tuple[int, int]]:
    """Cut the characters between ``bounds``, whose tokens start at ``starts``, into windows of about equal length."""
    total, first = len(starts), 0
    while total - first > max_tokens:
        count = math.ceil((total - first - overlap_tokens) / (max_tokens - overlap_tokens))
        size = math.ceil((total - first - overlap_tokens) / count) + overlap_tokens
        last = _word_start(body, starts, first + size, above=first + overlap_tokens)
        yield (int(starts[first]) if first else bounds[0]), int(starts[last])
        first = _word_start(body, starts, last - overlap_tokens, above=first)
    yield int(starts[first]), bounds[1]


def _word_start(body: str, starts: NDArray[np.int64], token: int, above: int) -> int:
    """Nearest token from ``token`` back to just after ``above`` that begins a word; else ``token`` itself."""
    for candidate in range(token, max(above, token - _WORD_TOKENS), -1):
        start = int(starts[candidate])
        if body[start].isspace() or body[start - 1 : start].isspace():
            return candidate
    return token
