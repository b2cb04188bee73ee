"""What transformers' files beside a tokenizer say of it, and whether its tokenizer.json alone says the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.errors import ModelError
from retrieval.models.hf_files import read_json, read_object
from retrieval.names import TOKENIZER

TOKENIZER_CONFIG = "tokenizer_config.json"
_AS_THE_FILE_SAYS = frozenset({"PreTrainedTokenizerFast", "TokenizersBackend", "PreTrainedTokenizer"})
"""Classes that take tokenizer.json as it is."""
_NO_NORMALIZER_OF_ITS_OWN = frozenset({"Precompiled", "Replace", "NFKC", "NFC", "Nmt", "Strip"})
_INPUTS = ("input_ids", "attention_mask")
_ENDS = ("bos_token", "eos_token", "cls_token", "sep_token")
_SPECIALS = (*_ENDS, "unk_token", "pad_token", "mask_token")
_MORE_SPECIALS = ("additional_special_tokens", "extra_special_tokens")


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
        specials: Special tokens that the files name: what each is for, and its text.
        values: Everything that tokenizer_config.json says.
    """

    class_name: str
    max_length: int | None
    token_types: bool | None
    pads_left: bool
    added: tuple[AddedToken, ...]
    specials: tuple[tuple[str, str], ...]
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
    if values.get("split_special_tokens"):
        raise ModelError(
            f"{path}: split_special_tokens is true; here special tokens in a text stay whole, so set it to false"
        )
    inputs = values.get("model_input_names")
    if inputs is not None and not (isinstance(inputs, list) and set(_INPUTS) <= set(inputs)):
        raise ModelError(f"{path}: model_input_names is {inputs}, without an attention_mask; give another model")
    longest = values.get("model_max_length", values.get("max_len"))  # the latter until version 2
    return TokenizerSettings(
        class_name=str(values.get("tokenizer_class") or "").removesuffix("Fast"),
        max_length=int(longest) if isinstance(longest, (int, float)) and longest < 1e9 else None,
        token_types=None if inputs is None else "token_type_ids" in inputs,
        pads_left=values.get("padding_side") == "left",
        added=_added_tokens(home, values, path),
        specials=_specials(home, values, path),
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


def _specials(home: Path, values: Mapping[str, Any], path: Path) -> tuple[tuple[str, str], ...]:
    """Special tokens by name; special_tokens_map.json is read where tokenizer_config.json lists no added tokens."""
    older = {} if "added_tokens_decoder" in values else read_object(home / "special_tokens_map.json")
    given = {**values, **older}
    found = [(name, given[name]) for name in _SPECIALS if given.get(name)]
    for name in _MORE_SPECIALS:
        more = given.get(name) or ()
        found += [(name, token) for token in (more.values() if isinstance(more, Mapping) else more)]
    texts = [(name, token.get("content") if isinstance(token, Mapping) else token) for name, token in found]
    if strange := next((name for name, text in texts if not isinstance(text, str)), None):
        raise ModelError(f"{path}: {strange} is {given[strange]!r}, not a token's text; restore the file")
    return tuple((name, str(text)) for name, text in texts)


def differs(settings: TokenizerSettings, home: Path, model_type: str) -> str:
    """Why transformers would not tokenise as a folder's tokenizer.json alone says; empty where it would.

    Args:
        settings: Of the folder.
        home: The folder.
        model_type: From its ``config.json``; decides the class where the tokenizer's files do not.
    """
    content = read_json(home / TOKENIZER) or {}
    _refuse_sides(content, settings, home, model_type)
    if lacking := _lacking_token(content, settings):
        return lacking
    name = settings.class_name or {"bert": "BertTokenizer"}.get(model_type, "")
    if name in _AS_THE_FILE_SAYS or not name:
        return ""
    around = json.dumps(content.get("post_processor") or {}, ensure_ascii=False)
    ends = [f"{end} {text!r}" for end, text in settings.specials if end in _ENDS and f'"{text}"' not in around]
    if ends:
        return ends[0]
    kinds = _parts(content.get("normalizer"))
    if name == "BertTokenizer":
        return _differs_from_bert(settings.values, kinds, content)
    strange = [kind["type"] for kind in kinds if kind["type"] not in _NO_NORMALIZER_OF_ITS_OWN]
    if strange:
        return f"normalizer {strange[0]}, which {name} does not have"
    spaces = {_prepends(part) for part in _parts(content.get("pre_tokenizer"))} - {None}
    asked = settings.values.get("add_prefix_space")
    return "" if asked is None or spaces in (set(), {asked}) else f"add_prefix_space {asked}"


def _refuse_sides(content: Mapping[str, Any], settings: TokenizerSettings, home: Path, model_type: str) -> None:
    """Raise on sides that tokenizer.json names where tokenizer_config.json names none."""
    asked = (("truncation", "truncation_side", True), ("padding", "padding_side", model_type == "bert"))
    for part, name, matters in asked:
        side = (content.get(part) or {}).get("direction")
        if matters and side == "Left" and settings.values.get(name) is None:
            raise ModelError(
                f"{home / TOKENIZER}: {part}.direction is Left, which is not done here; give another model, or"
                f" set {name} to right in {TOKENIZER_CONFIG} if the model was not trained so"
            )


def _lacking_token(content: Mapping[str, Any], settings: TokenizerSettings) -> str:
    """An added or special token that tokenizer.json has not, or not in the same way; empty where it has them all."""
    known = {(token.get("content"), token.get("id")): token for token in content.get("added_tokens") or []}
    lacking = [f"added token {one.content!r}" for one in settings.added
               if not _agrees(one, known.get((one.content, one.id)))]  # fmt: skip
    texts = {text for text, _ in known}
    lacking += [f"{name} {text!r}" for name, text in settings.specials if text not in texts]
    return lacking[0] if lacking else ""


def _agrees(token: AddedToken, other: Mapping[str, Any] | None) -> bool:
    """Whether tokenizer.json has an added token with the flags that the other files give it."""
    return other is not None and all(other.get(flag, value) == value for flag, value in token.flags.items())


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
