"""What transformers' files beside a tokenizer say of it, and whether its tokenizer.json alone says the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.errors import ModelError
from retrieval.models.foreign.files import read_json, read_object

TOKENIZER_CONFIG = "tokenizer_config.json"
_AS_THE_FILE_SAYS = frozenset({"PreTrainedTokenizerFast", "TokenizersBackend", "PreTrainedTokenizer"})
"""Classes that take tokenizer.json as it is."""
_NO_NORMALIZER_OF_ITS_OWN = frozenset({"Precompiled", "Replace", "NFKC", "NFC", "Nmt", "Strip"})
_INPUTS = ("input_ids", "attention_mask")


@dataclass(frozen=True)
class AddedToken:
    """A token that was added to a tokenizer after its vocabulary was made.

    Attributes:
        content: Its text.
        id: Its number.
        flags: ``lstrip``, ``rstrip``, ``normalized``, ``single_word`` and ``special`` where the file says so.
    """

    content: str
    id: int
    flags: Mapping[str, bool]


@dataclass(frozen=True)
class TokenizerSettings:
    """What tokenizer_config.json and its neighbours say.

    Attributes:
        class_name: Class that transformers builds, without ``Fast``; empty where the files do not say.
        max_length: Longest input; None where they do not say.
        token_types: Whether the model is given token types; None where they do not say.
        pads_left: Whether short rows are filled at their start.
        added: Tokens added to the vocabulary, by number.
        values: Everything that tokenizer_config.json says.
    """

    class_name: str
    max_length: int | None
    token_types: bool | None
    pads_left: bool
    added: tuple[AddedToken, ...]
    values: Mapping[str, Any]


def read_tokenizer_settings(home: Path) -> TokenizerSettings:
    """Read the files beside a tokenizer.

    Args:
        home: Folder of the tokenizer.

    Raises:
        ModelError: If they do not parse or ask for what this library does not do.
    """
    path = home / TOKENIZER_CONFIG
    values = read_object(path)
    if values.get("truncation_side") == "left":
        raise ModelError(f"{path}: truncation_side is left; here long texts lose their end, so give another model")
    inputs = values.get("model_input_names")
    if inputs is not None and not (isinstance(inputs, list) and set(_INPUTS) <= set(inputs)):
        raise ModelError(f"{path}: model_input_names is {inputs}, without an attention_mask; give another model")
    longest = values.get("model_max_length")
    return TokenizerSettings(
        class_name=str(values.get("tokenizer_class") or "").removesuffix("Fast"),
        max_length=int(longest) if isinstance(longest, (int, float)) and longest < 1e9 else None,
        token_types=None if inputs is None else "token_type_ids" in inputs,
        pads_left=values.get("padding_side") == "left",
        added=_added_tokens(home, values, path),
        values=values,
    )


def _added_tokens(home: Path, values: Mapping[str, Any], path: Path) -> tuple[AddedToken, ...]:
    """Added tokens of both files, those of tokenizer_config.json with their flags."""
    found: dict[int, AddedToken] = {}
    other = home / "added_tokens.json"
    try:
        for content, number in read_object(other).items():
            found[int(number)] = AddedToken(str(content), int(number), {})
        for number, token in (values.get("added_tokens_decoder") or {}).items():
            flags = {key: value for key, value in token.items() if isinstance(value, bool)}
            found[int(number)] = AddedToken(str(token["content"]), int(number), flags)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"{path} or {other}: added tokens cannot be read ({error}); restore the file") from error
    return tuple(found[number] for number in sorted(found))


def differs(settings: TokenizerSettings, home: Path, model_type: str) -> str:
    """Why transformers would not tokenise as a folder's tokenizer.json alone says; empty where it would.

    Args:
        settings: Of the folder.
        home: The folder.
        model_type: From its ``config.json``; decides the class where the tokenizer's files do not.
    """
    content = read_json(home / "tokenizer.json") or {}
    known = {(token.get("content"), token.get("id")) for token in content.get("added_tokens") or []}
    missing = [token.content for token in settings.added if (token.content, token.id) not in known]
    if missing:
        return f"added token {missing[0]!r}"
    name = settings.class_name or {"bert": "BertTokenizer"}.get(model_type, "")
    if name in _AS_THE_FILE_SAYS or not name:
        return ""
    kinds = _parts(content.get("normalizer"))
    if name == "BertTokenizer":
        return _differs_from_bert(settings.values, kinds, content)
    strange = [kind["type"] for kind in kinds if kind["type"] not in _NO_NORMALIZER_OF_ITS_OWN]
    if strange:
        return f"normalizer {strange[0]}, which {name} does not have"
    spaces = {_prepends(part) for part in _parts(content.get("pre_tokenizer"))} - {None}
    asked = settings.values.get("add_prefix_space")
    if asked is not None and spaces not in (set(), {asked}):
        return f"add_prefix_space {asked}"
    return ""


def _prepends(part: Mapping[str, Any]) -> bool | None:
    """Whether a splitter puts a blank before a text; None of one that has no say in it."""
    if "add_prefix_space" in part:
        return bool(part["add_prefix_space"])
    return part["prepend_scheme"] != "never" if "prepend_scheme" in part else None


def _differs_from_bert(values: Mapping[str, Any], kinds: list[dict[str, Any]], content: Mapping[str, Any]) -> str:
    """BertTokenizer makes its normaliser from tokenizer_config.json, whatever tokenizer.json says."""
    expected = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": values.get("tokenize_chinese_chars", True),
        "strip_accents": values.get("strip_accents"),
        "lowercase": values.get("do_lower_case", True),
    }
    if kinds != [expected]:
        return "do_lower_case, strip_accents or tokenize_chinese_chars"
    return (
        "" if [part["type"] for part in _parts(content.get("pre_tokenizer"))] == ["BertPreTokenizer"] else "splitting"
    )


def _parts(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a part of tokenizer.json
    """The normalisers or splitters of a tokenizer.json, one after another."""
    if not isinstance(value, dict):
        return []
    inner: Iterable[Any] | None = next((value[key] for key in ("normalizers", "pretokenizers") if key in value), None)
    return [value] if inner is None else [part for one in inner for part in _parts(one)]
