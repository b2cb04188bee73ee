"""Unigram segmentation of words read off a ``tokenizer.json``, in a quarter of the memory that `tokenizers` takes."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

_UNKNOWN_PENALTY = 10.0
"""What a character outside the vocabulary costs beyond the least likely piece, as in SentencePiece."""
_MOST_KNOWN_WORDS = 20_000
_LONGEST_KNOWN_WORD = 32
_SPACE = "▁"
_METASPACE = {"type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "always", "split": True}


class Unigram:
    """The likeliest pieces of each word under a unigram language model (Kudo, 2018).

    The 250,000 pieces of a multilingual vocabulary take 270 MB as the trie of `tokenizers` and 70 MB as a table. Law
    has few distinct syllables, so most words have been split before, and a text takes less time as well.
    """

    def __init__(self, pieces: Sequence[tuple[str, float]], unknown_id: int) -> None:
        """Take a vocabulary.

        Args:
            pieces: Each piece and its log probability, by id.
            unknown_id: Id of characters outside the vocabulary; neighbouring ones become one.
        """
        self._ids = {piece: number for number, (piece, _) in enumerate(pieces)}
        self._scores = array("d", [score for _, score in pieces])
        self._unknown_id = unknown_id
        self._unknown_score = min(self._scores) - _UNKNOWN_PENALTY
        self._longest = max(map(len, self._ids))
        self._known: dict[str, list[int]] = {}

    def __len__(self) -> int:
        """Pieces in the vocabulary."""
        return len(self._scores)

    def pieces(self) -> list[tuple[str, float]]:
        """Each piece and its log probability, by id."""
        return [(piece, self._scores[number]) for piece, number in self._ids.items()]

    def token_to_id(self, piece: str) -> int | None:
        """Id of a piece; None where there is none."""
        return self._ids.get(piece)

    def encode(self, text: str) -> list[int]:
        """Ids of a normalised text; a space begins a word, and so does the text."""
        words = text.replace(_SPACE, " ").removeprefix(" ").split(" ") if text else ()
        ids: list[int] = []
        for word in words:
            ids += self._known.get(word) or self._learn(word)
        return ids

    def _learn(self, word: str) -> list[int]:
        ids = self._split(_SPACE + word)
        if len(word) <= _LONGEST_KNOWN_WORD:
            if len(self._known) >= _MOST_KNOWN_WORDS:
                self._known.clear()
            self._known[word] = ids
        return ids

    def _split(self, word: str) -> list[int]:
        """The path of the highest score through the word, found from its end (Viterbi)."""
        size = len(word)
        best = [0.0, *([float("-inf")] * size)]  # score of the best path to each character
        begins = [0] * (size + 1)  # where that path's last piece begins
        last = [self._unknown_id] * (size + 1)
        for start in range(size):
            here, alone = best[start], False
            for end in range(start + 1, min(size, start + self._longest) + 1):
                piece = self._ids.get(word[start:end])
                if piece is None:
                    continue
                alone = alone or end == start + 1
                score = here + self._scores[piece]
                if score > best[end]:
                    best[end], begins[end], last[end] = score, start, piece
            if not alone and here + self._unknown_score > best[start + 1]:
                best[start + 1], begins[start + 1] = here + self._unknown_score, start
                last[start + 1] = self._unknown_id
        return self._traced(begins, last)

    def _traced(self, begins: Sequence[int], last: Sequence[int]) -> list[int]:
        ids: list[int] = []
        end = len(begins) - 1
        while end > 0:
            if last[end] != self._unknown_id or not ids or ids[-1] != self._unknown_id:
                ids.append(last[end])
            end = begins[end]
        return ids[::-1]


def unigram_of(tokenizer: Mapping[str, Any]) -> Unigram | None:
    """The model of a ``tokenizer.json``, or None where it is another sort or has steps that are not known here.

    Args:
        tokenizer: What the file holds.
    """
    model = tokenizer.get("model") or {}
    plain = not model.get("byte_fallback") and not tokenizer.get("added_tokens")
    if model.get("type") != "Unigram" or not plain or tokenizer.get("pre_tokenizer") != _METASPACE:
        return None
    if tokenizer.get("normalizer") is None or model.get("unk_id") is None:
        return None
    found = Unigram(model["vocab"], model["unk_id"])
    return found if len(found.pieces()) == len(found) else None  # a piece that is listed twice
