"""PhoBERT's byte-pair encoding rebuilt on the fast `tokenizers` engine, id for id the slow class's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from retrieval.errors import ModelError
from retrieval.models.tokenizer.hf_settings import AddedToken

_END = "</w>"
_SPECIALS = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
_MASK = "<mask>"
_UNKNOWN = "<unk>"
_USUAL = {
    "bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>",
    "pad_token": "<pad>", "unk_token": _UNKNOWN, "mask_token": _MASK,
}  # fmt: skip
_FLAGS = ("lstrip", "rstrip")


def build_phobert_tokenizer(
    folder: Path, added: Sequence[AddedToken] = (), specials: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    """Read ``vocab.txt`` and ``bpe.codes`` as PhoBERT and its offspring ship them.

    ``vocab.txt`` writes a piece inside a word as ``x@@`` and a piece that ends one as ``x``; the engine wants ``x`` and
    ``x</w>``. It also wants every product of a merge in the vocabulary: products that ``vocab.txt`` lacks get ids past
    the model's own, which `TextTokenizer` turns into the unknown token, as the slow class does.

    Args:
        folder: Holds the two files.
        added: Tokens that were added afterwards, which are found in a text before it is split.
        specials: Special tokens that other files name: what each is for, and its text.

    Returns:
        Arguments of `TextTokenizer`: core, pad_id, vocabulary, unknown_id.

    Raises:
        ModelError: If a line of either file does not parse, or added tokens do not follow the vocabulary.
    """
    vocabulary = _read_vocabulary(folder / "vocab.txt")
    mask_id = vocabulary.setdefault(_MASK, len(vocabulary))
    pieces = {_to_piece(token): index for token, index in vocabulary.items()}
    own = [token for token in added if token.content not in (*_SPECIALS, _MASK)]
    _refuse_unknown_specials(specials, own, folder)
    known = _append(pieces, vocabulary, own, folder)
    merges = _read_merges(folder / "bpe.codes")
    for left, right in merges:
        for piece in (left, right, left + right):
            pieces.setdefault(piece, len(pieces))
    core = Tokenizer(models.BPE(pieces, merges, unk_token=_UNKNOWN, end_of_word_suffix=_END))
    # The slow class keeps a line break inside its word, which no vocabulary knows; here all white space separates.
    core.normalizer = normalizers.Replace(Regex(r"\s+"), " ")
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    core.add_special_tokens([tokenizers.AddedToken(token, normalized=False) for token in (*_SPECIALS, _MASK)])
    core.add_tokens([tokenizers.AddedToken(token.content, **_flags(token)) for token in own])
    if core.token_to_id(_MASK) != mask_id:
        raise ModelError(
            f"{folder}/vocab.txt: {_MASK} got id {core.token_to_id(_MASK)}, not {mask_id}; give PhoBERT's own vocab.txt"
        )
    return {"core": core, "pad_id": _SPECIALS["<pad>"], "vocabulary": known, "unknown_id": _SPECIALS[_UNKNOWN]}


def _refuse_unknown_specials(specials: Sequence[tuple[str, str]], added: Sequence[AddedToken], folder: Path) -> None:
    listed = {*_SPECIALS, _MASK, *(token.content for token in added)}
    for name, text in specials:
        if text not in listed or text != _USUAL.get(name, text):
            raise ModelError(
                f"{folder}: {name} {text!r} is not PhoBERT's, nor in added_tokens.json; save the tokenizer with"
                " save_pretrained, which writes that file, or give a model without the token"
            )


def _append(pieces: dict[str, int], vocabulary: Mapping[str, int], added: Sequence[AddedToken], folder: Path) -> int:
    """Give added tokens their numbers: that of the same word in the vocabulary, else the next; returns how many are."""
    known = len(vocabulary)
    for token in added:
        number = vocabulary.get(token.content, known)
        if token.id != number or token.content in pieces or token.flags.get("single_word"):
            raise ModelError(
                f"{folder}: added token {token.content!r} (number {token.id}, {dict(token.flags)}) is not read here as"
                f" transformers reads it: {number} would be its number, and single_word is not done; give a model"
                " without it"
            )
        pieces[token.content] = number
        known = max(known, number + 1)
    return known


def _flags(token: AddedToken) -> dict[str, bool]:
    """As transformers' slow tokenizers find a token: in the text as it is."""
    return {"normalized": False} | {name: token.flags[name] for name in _FLAGS if name in token.flags}


def _to_piece(token: str) -> str:
    if token in _SPECIALS or token == _MASK:
        return token
    return token[:-2] if token.endswith("@@") else token + _END


def _read_vocabulary(path: Path) -> dict[str, int]:
    vocabulary = dict(_SPECIALS)
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        token, space, _count = line.strip().rpartition(" ")
        if not line.strip():
            continue
        if not space:
            raise ModelError(f"{path}: line {number} is {line[:40]!r}, not '<token> <count>'; give PhoBERT's vocab.txt")
        vocabulary[token] = len(vocabulary)
    return vocabulary


def _read_merges(path: Path) -> list[tuple[str, str]]:
    merges: dict[tuple[str, str], None] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        parts = line.split()
        if len(parts) != 3:
            raise ModelError(
                f"{path}: line {number} is {line[:40]!r}, not '<left> <right> <count>'; give PhoBERT's bpe.codes"
            )
        merges[parts[0], parts[1]] = None
    return list(merges)
