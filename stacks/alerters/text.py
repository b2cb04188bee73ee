"""Plain text as Telegram messages: escaped, its first line bold, and cut where Telegram's limit wants it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

LIMIT = 4096
"""UTF-16 code units of one message, its markup not counted."""


def messages(text: str, limit: int = LIMIT) -> list[str]:
    """One or more HTML messages that together show a text.

    Cuts lie between lines, or inside a line that is longer than a message, but never inside a character or an entity.

    Args:
        text: What to show; its first line is the heading.
        limit: UTF-16 code units of a message, at least 2.

    Returns:
        Messages in reading order; none where there is nothing but blank space.
    """
    parts = [part for part in _parts(text.strip(), limit) if part.strip()]
    return [_bold_heading(part) if number == 0 else escape(part, quote=False) for number, part in enumerate(parts)]


def _parts(text: str, limit: int) -> Iterator[str]:
    """Pieces of at most ``limit`` units, as many whole lines in each as fit."""
    held: list[str] = []
    used = 0
    for line in (piece for whole in text.split("\n") for piece in _cut(whole, limit)):
        size = _units(line)
        if held and used + 1 + size > limit:
            yield "\n".join(held)
            held, used = [], 0
        used += size + (1 if held else 0)
        held.append(line)
    if held:
        yield "\n".join(held)


def _cut(line: str, limit: int) -> Iterator[str]:
    start, used = 0, 0
    for position, character in enumerate(line):
        size = _units(character)
        if used + size > limit:
            yield line[start:position]
            start, used = position, 0
        used += size
    yield line[start:]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def _bold_heading(part: str) -> str:
    heading, newline, rest = part.partition("\n")
    return f"<b>{escape(heading, quote=False)}</b>{newline}{escape(rest, quote=False)}"
