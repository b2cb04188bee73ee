"""Which ids articles and questions may have, and how one is shown and looked for where it is not found."""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterable, Iterator
from difflib import get_close_matches

LONGEST = 500
"""Characters of an id, at most: it is part of addresses, and what is longer is a text in the wrong column."""
_COMPARED = 20_000
_SHOWN_CHARACTERS = 60
_KINDS = {"Cc": "a control character", "Zl": "a line break", "Zp": "a line break", "Cs": "half a character"}
"""Unicode categories that no file in lines, address or table holds whole."""


def fault_of(identifier: str) -> str:
    """What makes an id unfit, such as ``holds a control character (U+0009 at 3)``; empty where nothing does.

    Spaces, quotes, slashes and signs of every script are fine inside an id, as in ``45/2019/QH14 Điều 113``.
    """
    if not identifier.strip():
        return "is empty"
    if identifier != identifier.strip():
        return "begins or ends with a space"
    if len(identifier) > LONGEST:
        return f"has {len(identifier):,} characters, more than {LONGEST}, as a text in the wrong column has"
    if {".", ".."}.intersection(identifier.split("/")):
        return "has a part . or .., which addresses leave out"
    for position, character in enumerate(identifier, start=1):
        if kind := _KINDS.get(unicodedata.category(character)):
            return f"holds {kind} (U+{ord(character):04X}, character {position})"
    return ""


def shown(identifier: str) -> str:
    """An id in a message: as it is, or with escapes where it holds what is not seen; a long one is cut."""
    cut = identifier if len(identifier) <= _SHOWN_CHARACTERS else f"{identifier[:_SHOWN_CHARACTERS]}…"
    visible = cut.isprintable() and unicodedata.is_normalized("NFC", cut)
    return cut if visible else ascii(cut)


ABSENT = "correct it or add the article"
"""What to do about an id that nothing known resembles."""


def near_id(identifier: str, known: Container[str], absent: str = ABSENT) -> str:
    """What to do about an id that is not known: the known one that was most likely meant, and how it differs.

    Args:
        identifier: Not among ``known``.
        known: Ids that there are; only looked through where they can be listed.
        absent: What to do where none is like it.
    """
    names = known if isinstance(known, Iterable) else ()
    plain = _plain(identifier)
    twin = next((name for name in names if _plain(name) == plain), None)
    if twin is not None:
        return f"the corpus writes it {twin!a}, here it is {identifier!a}; write both the same way"
    nearest = get_close_matches(identifier, list(_first(names)), n=1)
    return f"did you mean {shown(nearest[0])}?" if nearest else absent


def _first(names: Iterable[str]) -> Iterator[str]:
    """Names to compare letter by letter, which takes long where there are many."""
    return (name for name, _ in zip(names, range(_COMPARED), strict=False))


def _plain(identifier: str) -> str:
    """An id without what spreadsheets and editors change: Unicode form, kinds of space, invisible signs, ``.0``."""
    known = (character for character in unicodedata.normalize("NFKC", identifier) if not _is_invisible(character))
    plain = " ".join("".join(known).split()).casefold()
    whole, point, rest = plain.partition(".")
    digits = whole if point and whole.isdigit() and not rest.strip("0") else plain
    return digits.lstrip("0") or digits if digits.isdigit() else digits


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf"
