"""How an article's body is laid out on a page: its khoản and điểm, and the lines between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["clause", "point", "line"]
"""A khoản (``1.``), a điểm (``a)``), or a line that is neither."""

_LABELS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("clause", re.compile(r"(\d+\.) (.*)")),
    ("point", re.compile(r"([a-zđ]{1,2}\d?\)) (.*)")),
)
_NUMBER = re.compile(r"(.+):(\d+[a-zđ]?)")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a body.

    Attributes:
        kind: What it is.
        label: Its number or letter as printed; empty where it has none.
        text: The rest.
    """

    kind: Kind
    label: str
    text: str


def laid_out(body: str) -> list[Line]:
    """The lines of a clean body, khoản and điểm told from the rest."""
    return [_line(text) for text in body.split("\n") if text.strip()]


def heading_of(cid: str) -> str:
    """``Điều 113`` of ``45/2019/QH14:113``; empty where an id does not end in an article's number."""
    return f"Điều {number}" if (number := number_of(cid)) else ""


def number_of(cid: str) -> str:
    """``113`` of ``45/2019/QH14:113``; empty where an id does not end in an article's number."""
    return match[2] if (match := _NUMBER.fullmatch(cid)) else ""


def law_number_of(cid: str) -> str:
    """``45/2019/QH14`` of ``45/2019/QH14:113``; empty where an id does not begin with the number of a law."""
    return match[1] if (match := _NUMBER.fullmatch(cid)) else ""


def _line(text: str) -> Line:
    for kind, pattern in _LABELS:
        if match := pattern.fullmatch(text):
            return Line(kind, match[1], match[2])
    return Line("line", "", text)
