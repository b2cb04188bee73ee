"""Which pieces of a multilingual vocabulary a Vietnamese text can be made of."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Sequence

_VOWELS = "aăâeêioôơuưy"
_TONES = "\u0300\u0301\u0303\u0309\u0323"  # grave, acute, tilde, hook above, dot below
_TONED = (unicodedata.normalize("NFC", vowel + tone) for vowel in _VOWELS for tone in _TONES)
LETTERS = frozenset([*string.ascii_lowercase, *_VOWELS, "đ", *_TONED])
"""Small letters of Vietnamese, and the four of the basic Latin alphabet that it lacks."""


def vietnamese_pieces(pieces: Sequence[str]) -> list[int]:
    """Ids of the pieces that Vietnamese text and text in basic Latin letters can use, and of all single characters.

    A text is segmented by pieces that stand in it, so one whose letters are all in `LETTERS` is segmented by the pieces
    that are kept as by all of them. Other letters become pieces of one character; none of them becomes unknown.

    Args:
        pieces: By id; special tokens are written in basic Latin letters, so they are kept.

    Returns:
        Ids in order.
    """
    return [number for number, piece in enumerate(pieces) if len(piece.removeprefix("▁")) == 1 or _is_vietnamese(piece)]


def _is_vietnamese(piece: str) -> bool:
    return all(letter in LETTERS or not letter.isalpha() for letter in piece.lower())
