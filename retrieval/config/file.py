"""Reading a Config: a YAML file, then `key.path=value` overrides; a mistake is one line that names the nearest key."""

from __future__ import annotations

import os
import types
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from retrieval.config.schema import Config
from retrieval.config.yaml_text import EXTENDS, ConfigFile, merged, read_files
from retrieval.errors import ConfigError

_MODELS = ("bi_encoder.base", "cross_encoder.base")
"""Keys of a folder, a hub id or another name."""
_IN_A_FILE = "in a file for machines with bfloat16, as configs/quickstart-bf16.yaml does"
RENAMED_KEYS: dict[str, str] = {
    "search.opening_weights": "search.lead_passage_weights",
    "search.named_weight": "search.citation_weight",
}
"""Keys and sections of earlier versions, with what they are called now."""
REMOVED_KEYS: dict[str, str] = {
    "bi_encoder.training.fast_epochs": f"set bi_encoder.training.epochs {_IN_A_FILE}",
    "bi_encoder.training.fast_freeze_layers": f"set bi_encoder.training.freeze_layers {_IN_A_FILE}",
    "cross_encoder.training.fast_epochs": f"set cross_encoder.training.epochs {_IN_A_FILE}",
    "cross_encoder.training.fast_freeze_layers": f"set cross_encoder.training.freeze_layers {_IN_A_FILE}",
    "cross_encoder.fast_training_queries": f"set cross_encoder.training_queries {_IN_A_FILE}",
}
"""Keys and sections of earlier versions that are gone, with what to do in their place."""


def load_config(path: Path, overrides: Sequence[str] = (), base: Path | None = None) -> Config:
    """Read a YAML file and put overrides on top.

    Args:
        path: YAML file of nested keys; an empty file means every default, ``extends: FILE`` another file's values.
        overrides: ``key.path=value`` items, the last one of a key wins.
        base: Folder that relative paths in ``overrides`` start from; None leaves them as typed.

    Returns:
        The validated configuration.

    Raises:
        ConfigError: If the file is missing or no mapping, or a key or value is wrong; one line.

    Example:
        >>> config = load_config(Path("configs/smoke.yaml"), ["bi_encoder.training.epochs=3"])
        >>> config.bi_encoder.training.epochs
        3
    """
    files = read_files(path)
    for file in files:
        _check_keys(file.values, str(file.path))
    values = merged(files)
    typed = dict(parse_override(item, base) for item in overrides)
    for key, value in typed.items():
        _put(values, key.split("."), value)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, files, set(typed))) from error


def parse_override(item: str, base: Path | None = None) -> tuple[str, object]:
    """Split ``key.path=value`` and turn the text into what its field holds.

    Args:
        item: Such as ``bi_encoder.training.epochs=3``, ``data.laws=45/2019/QH14,91/2015/QH13`` or ``data.corpus=null``.
        base: Folder that a relative path starts from; None leaves it as typed.

    Returns:
        The dotted key, and a value that is still to be validated.

    Raises:
        ConfigError: If there is no ``=`` or the key is unknown or names a whole section.
    """
    key, equals, text = item.partition("=")
    key = key.strip()
    if not equals:
        raise ConfigError(f"--set {item}: no '='; write --set key.path=value, such as --set seed=7")
    fields = dict(leaves(Config))
    _refuse_old(key, f"--set {item}")
    if key not in fields:
        if any(name.startswith(f"{key}.") for name in fields):
            inside = ", ".join(name for name in fields if name.startswith(f"{key}."))
            raise ConfigError(f"--set {item}: {key} is a section; set one of its keys ({inside})")
        raise ConfigError(f"--set {item}: unknown key {key}{did_you_mean(key, fields)}")
    if key in _MODELS:
        return key, _model(text.strip(), base)
    return key, _typed(fields[key], text.strip(), base, item)


def _model(text: str, base: Path | None) -> str:
    """A model as typed; one that is a folder seen from where it was typed as a path that is one from anywhere."""
    way = Path(text).expanduser()  # a shell leaves ~ as it is behind an equals sign
    if text.startswith(("~", "./", "../")) or text in {".", ".."} or (base and text and (base / way).is_dir()):
        return os.path.normpath(base / way if base else way)
    return text


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted key below a section with its annotation, in order."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field.annotation


def did_you_mean(wrong: str, known: Sequence[str] | dict[str, Any]) -> str:
    """``; did you mean X?`` for the nearest known name, or the names themselves where none is near.

    A dotted key is also compared by its last part, so that a key put into the wrong section is found.
    """
    names = list(known)
    near = get_close_matches(wrong, names, n=1, cutoff=0.75)
    if not near:
        last = wrong.rpartition(".")[2]
        by_last = {name.rpartition(".")[2]: name for name in reversed(names)}
        near = [by_last[match] for match in get_close_matches(last, list(by_last), n=1, cutoff=0.7)]
    if not near:
        near = get_close_matches(wrong, names, n=1, cutoff=0.4)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known: {', '.join(names)}" if len(names) <= 12 else "; see docs/configuration.md for every key"


def _check_keys(values: dict[str, Any], source: str) -> None:
    """Refuse the first key, at any depth, that the schema does not have."""
    known = dict(leaves(Config))
    sections = {name.rpartition(".")[0] for name in known} | {name.split(".")[0] for name in known if "." in name}

    names = [*known, *sorted(sections - {""}), EXTENDS]

    def walk(node: dict[str, Any], prefix: str) -> None:
        for name, value in node.items():
            key = f"{prefix}{name}"
            _refuse_old(key, source)
            if key in sections and isinstance(value, dict):
                walk(value, f"{key}.")
            elif key not in known and key not in sections:
                raise ConfigError(f"{source}: unknown key {key}{did_you_mean(key, names)}")

    walk(values, "")


def _refuse_old(key: str, source: str) -> None:
    """Refuse a key of an earlier version, or one in a section of an earlier version, and name what took its place."""
    parts = key.split(".")
    for old in (".".join(parts[: count + 1]) for count in range(len(parts))):
        if old in RENAMED_KEYS:
            raise ConfigError(f"{source}: {key} is now called {RENAMED_KEYS[old]}{key.removeprefix(old)}; rename it")
        if old in REMOVED_KEYS:
            raise ConfigError(f"{source}: there is no {key} any more; {REMOVED_KEYS[old]}")


def _put(values: dict[str, Any], parts: list[str], value: object) -> None:
    for part in parts[:-1]:
        inner = values.get(part)
        values[part] = inner = dict(inner) if isinstance(inner, dict) else {}
        values = inner
    values[parts[-1]] = value


def _typed(annotation: object, text: str, base: Path | None, item: str) -> object:
    """Text as the kind of value a field holds: a string stays as typed, a list may be written a,b."""
    kinds = _kinds(annotation)
    if text in {"null", "none", "None", "~", ""} and type(None) in kinds:
        return None
    if Path in kinds:
        path = Path(text).expanduser()  # a shell leaves ~ as it is behind an equals sign
        return Path(os.path.normpath(base / path)) if base else path
    if str in kinds:
        return text
    if tuple in kinds and not text.startswith("["):
        text = f"[{text}]"
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {item}: {text!r} is not YAML; quote the item, such as --set 'key=[1, 2]'") from error
    # YAML reads 5e-5 as text; pydantic reads text as a number
    return (
        value if not isinstance(value, list) else [_text(part) if _holds_text(annotation) else part for part in value]
    )


def _kinds(annotation: object) -> set[object]:
    """The plain types an annotation allows: ``Path | None`` gives Path and NoneType."""
    origin = get_origin(annotation)
    if origin in {Union, types.UnionType}:
        return {kind for part in get_args(annotation) for kind in _kinds(part)}
    if origin is Literal:
        return {str}
    return {origin or annotation}


def _text(part: object) -> object:
    """An item of a list of texts, such as a number that YAML made of one; nothing stays nothing and is refused."""
    return part if part is None else str(part)


def _holds_text(annotation: object) -> bool:
    return get_origin(annotation) is tuple and get_args(annotation)[:1] == (str,)


def _explain(error: ValidationError, files: Sequence[ConfigFile], overridden: set[str]) -> str:
    """The first complaint of pydantic as one line, saying which file or that an override is at fault."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
    path = next((file.path for file in files if key and file.holds(key)), files[0].path)
    source = "--set" if any(name == key or name.startswith(f"{key}.") for name in overridden) else f"{path}:"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{source} {message}"
    choices = [str(choice) for choice in _choices(dict(leaves(Config)).get(key))]
    hint = did_you_mean(str(first["input"]), choices) if choices else ""
    return f"{source} {key}: got {first['input']!r}; {message[0].lower()}{message[1:]}{hint}"


def _choices(annotation: object) -> tuple[object, ...]:
    """Values of the Literal in an annotation; empty where there is none."""
    parts = [part for part in (annotation, *get_args(annotation)) if get_origin(part) is Literal]
    return get_args(parts[0]) if parts else ()
