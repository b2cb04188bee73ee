"""Reads the tokenizer of a model folder, whichever of the usual forms it has."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from retrieval.errors import ModelError
from retrieval.folders import sha256_of
from retrieval.models.tokenizer.hf_settings import TokenizerSettings, differs, read_tokenizer_settings
from retrieval.models.tokenizer.phobert import build_phobert_tokenizer
from retrieval.models.tokenizer.text_tokenizer import SIDECAR, TOKENIZER_FILE, TextTokenizer
from retrieval.models.tokenizer.unigram import Unigram, unigram_of

_OTHER_FILES = ("vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model")
_PAD_TOKENS = ("<pad>", "[PAD]")
"""Where a folder names none."""


def load_tokenizer(folder: Path, model_type: str = "") -> TextTokenizer:
    """Read the tokenizer of a model folder, whichever of the usual forms it has.

    Args:
        folder: Of the model, ours or another library's.
        model_type: From its ``config.json``; tells transformers' class where the tokenizer's own files do not.

    Raises:
        ModelError: If the folder has no tokenizer that can be read.
    """
    try:
        if (folder / TOKENIZER_FILE).is_file() and (folder / SIDECAR).is_file():
            return _with_types(_from_json(folder), read_tokenizer_settings(folder))
        settings = read_tokenizer_settings(folder)
        return _with_types(_foreign(folder, settings, model_type), settings)
    except ModelError:
        raise
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelError(
            f"{folder}: its tokenizer cannot be read ({error}); give the tokenizer files saved with the model"
        ) from error


def _foreign(folder: Path, settings: TokenizerSettings, model_type: str) -> TextTokenizer:
    if (folder / TOKENIZER_FILE).is_file():
        if differs(settings, folder, model_type):
            return _from_transformers(folder, settings)
        return _from_json(folder, settings)
    if (folder / "bpe.codes").is_file() and (folder / "vocab.txt").is_file():
        return TextTokenizer(**build_phobert_tokenizer(folder, settings.added, settings.specials))
    if any((folder / name).is_file() for name in _OTHER_FILES):
        return _from_transformers(folder, settings)
    raise ModelError(
        f"{folder}: no {TOKENIZER_FILE} nor another tokenizer file; save the model's tokenizer into the folder"
        " (tokenizer.save_pretrained)"
    )


def _with_types(tokenizer: TextTokenizer, settings: TokenizerSettings) -> TextTokenizer:
    return tokenizer.with_one_type() if settings.token_types is False else tokenizer


@dataclass(frozen=True)
class _TokenizerFile:
    """A ``tokenizer.json``; two of the same content are the same."""

    sha256: str
    path: Path = field(compare=False)


def _from_json(folder: Path, settings: TokenizerSettings | None = None) -> TextTokenizer:
    path = folder / TOKENIZER_FILE
    core, unigram = _read_core(_TokenizerFile(sha256_of(path), path))
    sidecar = folder / SIDECAR
    if sidecar.is_file():
        return TextTokenizer(core, **json.loads(sidecar.read_text(encoding="utf-8")), unigram=unigram)
    return TextTokenizer(core, _padding_id((unigram or core).token_to_id, settings, folder), unigram=unigram)


@lru_cache(maxsize=2)
def _read_core(file: _TokenizerFile) -> tuple[Tokenizer, Unigram | None]:
    """The tokenizer of a file; without most of its vocabulary where `Unigram` takes that over.

    Shared by the models of a process: they mostly have the same, and a large vocabulary takes a second and 70 MB.
    """
    values: dict[str, Any] = json.loads(file.path.read_text(encoding="utf-8"))
    unigram = unigram_of(values)
    if unigram is None:
        return Tokenizer.from_file(str(file.path)), None
    del values["model"]["vocab"][values["model"]["unk_id"] + 1 :]
    return Tokenizer.from_str(json.dumps(values)), unigram


def _from_transformers(folder: Path, settings: TokenizerSettings) -> TextTokenizer:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    core = getattr(tokenizer, "backend_tokenizer", None)
    if core is None:
        raise ModelError(f"{folder}: {type(tokenizer).__name__} has no fast form; add its tokenizer.json")
    return TextTokenizer(core, _padding_id(core.token_to_id, settings, folder))


def _padding_id(token_to_id: Callable[[str], int | None], settings: TokenizerSettings | None, folder: Path) -> int:
    """Of the token that fills short rows; decoders without one take the token that ends a text."""
    named = dict(settings.specials) if settings else {}
    names = [*_PAD_TOKENS, *(named[key] for key in ("pad_token", "eos_token") if key in named)]
    for name in names:
        found = token_to_id(name)
        if found is not None:
            return int(found)
    raise ModelError(
        f"{folder}: its tokenizer has none of {', '.join(names)}; name its pad_token in tokenizer_config.json"
    )
