"""PhoBERT's byte-pair encoding rebuilt on the fast `tokenizers` engine, id for id the slow class's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from retrieval.errors import ModelError

_END = "</w>"
_SPECIALS = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
_MASK = "<mask>"
_UNKNOWN = "<unk>"


def build_phobert_tokenizer(folder: Path) -> dict[str, Any]:
    """Read ``vocab.txt`` and ``bpe.codes`` as PhoBERT and its offspring ship them.

    ``vocab.txt`` writes a piece inside a word as ``x@@`` and a piece that ends one as ``x``; the engine wants ``x`` and
    ``x</w>``. It also wants every product of a merge in the vocabulary: products that ``vocab.txt`` lacks get ids past
    the model's own, which `TextTokenizer` turns into the unknown token, as the slow class does.

    Returns:
        Arguments of `TextTokenizer`: core, pad_id, vocabulary, unknown_id.

    Raises:
        ModelError: If a line of either file does not parse.
    """
    vocabulary = _read_vocabulary(folder / "vocab.txt")
    mask_id = vocabulary.setdefault(_MASK, len(vocabulary))
    known = len(vocabulary)
    pieces = {_to_piece(token): index for token, index in vocabulary.items()}
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
    core.add_special_tokens([AddedToken(token, normalized=False) for token in (*_SPECIALS, _MASK)])
    if core.token_to_id(_MASK) != mask_id:
        raise ModelError(
            f"{folder}/vocab.txt: {_MASK} got id {core.token_to_id(_MASK)}, not {mask_id}; download it again"
        )
    return {"core": core, "pad_id": _SPECIALS["<pad>"], "vocabulary": known, "unknown_id": _SPECIALS[_UNKNOWN]}


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
            raise ModelError(f"{path}: line {number} is {line[:40]!r}, not '<token> <count>'; download the file again")
        vocabulary[token] = len(vocabulary)
    return vocabulary


def _read_merges(path: Path) -> list[tuple[str, str]]:
    merges: dict[tuple[str, str], None] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        parts = line.split()
        if len(parts) != 3:
            raise ModelError(f"{path}: line {number} is {line[:40]!r}, not '<left> <right> <count>'; download it again")
        merges[parts[0], parts[1]] = None
    return list(merges)
