"""What sentence-transformers' modules.json says a model is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from retrieval.errors import ModelError
from retrieval.models.backbone.bert_config import CONFIG_FILE
from retrieval.models.hf_files import read_json, read_object, refuse_others, section
from retrieval.models.io.model_settings import Pooling
from retrieval.models.projections import Step

MODULES_FILE = "modules.json"
_OLD_FLAGS: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_POOLING_KEYS = frozenset(
    {*_OLD_FLAGS, "pooling_mode", "include_prompt", "embedding_dimension", "word_embedding_dimension"}
)
_NO_CHANGE = ("Dropout",)
"""Modules that leave vectors as they are outside training."""
_OUTPUT = "sentence_embedding"
_LOGITS = (None, "causal_logits")


@dataclass(frozen=True)
class Modules:
    """The modules of a folder, as far as this library runs them.

    Attributes:
        home: Folder of the transformer, with its ``config.json``.
        listed: Whether there is a modules.json; without, the folder is a bare transformer's.
        pooling: How token vectors become one; None for a cross-encoder or a bare transformer.
        include_prompt: Whether the tokens of a prompt are pooled, too.
        normalized: Whether a Normalize module gives vectors unit length at last.
        projections: Modules between the pooling and that Normalize.
        score_tokens: The next tokens whose logits a LogitScore takes one from another, the second maybe None; None
            where there is no such module.
    """

    home: Path
    listed: bool = False
    pooling: Pooling | None = None
    include_prompt: bool = True
    normalized: bool = False
    projections: tuple[Step, ...] = ()
    score_tokens: tuple[int, int | None] | None = None


def read_modules(folder: Path) -> Modules:
    """Read modules.json and the settings of the modules it names.

    Args:
        folder: The model's folder.

    Raises:
        ModelError: If a module, or a setting of one, would change vectors in a way that this library does not do.
    """
    path = folder / MODULES_FILE
    items = read_json(path)
    if items is None:
        _refuse_remains(folder)
        return Modules(folder)
    if not isinstance(items, list) or not all(isinstance(item, dict) and "type" in item for item in items) or not items:
        raise ModelError(f"{path}: not a list of modules with their types; restore the file from where it came")
    kinds = [_kind(item) for item in items]
    if kinds[0] != "Transformer":
        raise ModelError(
            f"{path}: begins with the module {items[0]['type']}; only models that begin with a Transformer can be read"
        )
    found = Modules(_inside(folder, items[0], path), listed=True)
    _refuse_arguments(items, path)
    for item, kind in zip(items[1:], kinds[1:], strict=True):
        found = _with_module(found, item, kind, folder)
    if len(items) > 1 and found.pooling is None and found.score_tokens is None:
        raise ModelError(f"{path}: {', '.join(kinds)} without a Pooling; such models cannot be read here")
    return found


def _kind(item: dict[str, Any]) -> str:
    """Last word of a module's type where it is sentence-transformers' own, else the whole type."""
    name = str(item["type"])
    return name.rpartition(".")[2] if name.startswith("sentence_transformers.") else name


def _inside(folder: Path, item: dict[str, Any], path: Path) -> Path:
    place = PurePosixPath(str(item.get("path") or ""))
    if place.is_absolute() or ".." in place.parts:
        raise ModelError(f"{path}: names the path {place} outside its folder; restore the file from where it came")
    return folder / place


def _with_module(found: Modules, item: dict[str, Any], kind: str, folder: Path) -> Modules:
    """What is known of a folder with one more module."""
    path = folder / MODULES_FILE
    home = _inside(folder, item, path)
    if kind in _NO_CHANGE:
        return found
    if kind == "Pooling" and found.pooling is None:
        pooling, include_prompt = _read_pooling(home / CONFIG_FILE)
        return Modules(found.home, True, pooling, include_prompt)
    if kind == "Normalize" and found.pooling is not None:
        values = read_object(home / CONFIG_FILE)
        names = {values.get(name) or _OUTPUT for name in ("module_input_name", "module_output_name")}
        if names != {_OUTPUT}:
            raise ModelError(
                f"{home / CONFIG_FILE}: normalises {', '.join(sorted(names))}, not {_OUTPUT}; give another"
            )
        return replace(found, normalized=True)
    if kind in ("Dense", "LayerNorm") and found.pooling is not None:
        before = (Step("Normalize", home),) if found.normalized else ()
        step = Step("Dense" if kind == "Dense" else "LayerNorm", home)
        return replace(found, normalized=False, projections=(*found.projections, *before, step))
    if kind == "LogitScore" and found.pooling is None and found.score_tokens is None:
        return replace(found, score_tokens=_read_logit_score(home / CONFIG_FILE))
    raise ModelError(
        f"{path}: module {item['type']} changes vectors and is not run here; give a model of Transformer, Pooling,"
        " Dense, LayerNorm and Normalize"
    )


def _read_logit_score(path: Path) -> tuple[int, int | None]:
    values = read_object(path)
    refuse_others(values, frozenset({"true_token_id", "false_token_id", "module_input_name"}), str(path))
    yes, no = values.get("true_token_id"), values.get("false_token_id")
    if not isinstance(yes, int) or not isinstance(no, int | None) or values.get("module_input_name") not in _LOGITS:
        raise ModelError(f"{path}: says {values}, not which tokens' logits are compared; restore the file")
    return yes, no


def _refuse_arguments(items: list[dict[str, Any]], path: Path) -> None:
    for item in items:
        if item.get("kwargs"):
            raise ModelError(f"{path}: {item['type']} takes {item['kwargs']} with each text, which is not done here")


def _read_pooling(path: Path) -> tuple[Pooling, bool]:
    """Pooling and whether it includes the prompt; a file that says neither means the mean, as it does there."""
    if not path.is_file():
        raise ModelError(f"{path}: missing, though {MODULES_FILE} lists the pooling; restore the file")
    values = read_object(path)
    refuse_others(values, _POOLING_KEYS, str(path))
    named = values.get("pooling_mode")  # since version 6, where it goes before the flags
    modes = (
        [named] if isinstance(named, str) else named or [mode for flag, mode in _OLD_FLAGS.items() if values.get(flag)]
    )
    known = get_args(Pooling)
    if not isinstance(modes, list) or any(mode not in known for mode in modes):
        raise ModelError(f"{path}: pooling_mode {named!r} is not one of {', '.join(known)}; give another model")
    if len(modes) > 1:
        raise ModelError(
            f"{path}: puts the poolings {' and '.join(modes)} one behind the other, which is not done here; give a"
            " model with one pooling"
        )
    return modes[0] if modes else "mean", values.get("include_prompt") is not False


def _refuse_remains(folder: Path) -> None:
    """Parts of a sentence-transformers folder without its modules.json: what they say would go unread."""
    remains = [path for path in sorted(folder.glob("[0-9]*_*")) if (path / CONFIG_FILE).is_file() and path.is_dir()]
    settings = folder / "config_sentence_transformers.json"
    remains += [settings] if _says_something(settings) else []
    if remains:
        raise ModelError(
            f"{folder}: has {remains[0].name} but no {MODULES_FILE}; the folder is only part of a sentence-transformers"
            f" model, so get the whole of it, or remove {remains[0].name} if only the bare transformer is meant"
        )


def _says_something(path: Path) -> bool:
    values = read_object(path)
    prompts = section(values, "prompts", path)
    return any(prompts.values()) or bool(values.get("default_prompt_name"))
