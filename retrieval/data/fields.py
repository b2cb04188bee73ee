"""The one place that decides which text a model reads: clean or segmented, with or without the title."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from retrieval.records import Corpus, Query

TextKind = Literal["text", "segmented"]

TITLE_SOURCES = frozenset({"title", "path", "template"})
"""Queries made from article titles: for these the title field is hidden, or the answer would stand in the text."""


def hides_titles(query: Query) -> bool:
    """Whether the title field must not be shown for this query."""
    return query.source in TITLE_SOURCES


def query_texts(queries: Sequence[Query], kind: TextKind) -> list[str]:
    """The text of each query that a model of this kind reads."""
    return [query.segmented if kind == "segmented" else query.text for query in queries]


def passage_texts(corpus: Corpus, kind: TextKind) -> list[str]:
    """The text of each passage that a model of this kind reads; titles are never part of it."""
    return [passage.segmented if kind == "segmented" else passage.text for passage in corpus.passages]


def title_texts(corpus: Corpus, kind: TextKind) -> list[str]:
    """The title of each article; empty list where no article has one."""
    if not any(article.title for article in corpus.articles):
        return []
    return list(corpus.segmented_titles) if kind == "segmented" else [article.title for article in corpus.articles]


def reranker_document(corpus: Corpus, passage_row: int, titles: bool, kind: TextKind) -> tuple[str, ...]:
    """What the reranker reads of one passage: its article's title, where it is shown, and the passage."""
    passage = corpus.passages[passage_row]
    row = int(corpus.article_rows[passage_row])
    text = passage.segmented if kind == "segmented" else passage.text
    title = corpus.segmented_titles[row] if kind == "segmented" else corpus.articles[row].title
    return (title, text) if titles and title else (text,)
