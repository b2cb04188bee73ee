"""What a reranker reads: a query, and a passage given as one text or as several (title and body)."""

from __future__ import annotations

from typing import TypeAlias

Document: TypeAlias = str | tuple[str, ...]
"""One text, or several that belong together, such as a title and a body."""

Pair: TypeAlias = tuple[str, Document]
"""Query and document."""


def segments_of(document: Document) -> tuple[str, ...]:
    """The texts of a document; empty ones are left out unless nothing else is there."""
    texts = (document,) if isinstance(document, str) else document
    return tuple(text for text in texts if text) or ("",)


def joined_text(document: Document) -> str:
    """The document as one text, a line for each of its parts."""
    return "\n".join(segments_of(document))
