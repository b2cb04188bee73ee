"""What a folder is that was named as a bundle and is none, and the step that leads from it to a bundle."""

from __future__ import annotations

import json
import re
import shlex
import tarfile
import zipfile
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from retrieval.folders import MANIFEST
from retrieval.models.io.model_settings import settings_file
from retrieval.names import (
    BUNDLE_FACTS,
    FORMER_RETRIEVER_SETTINGS,
    RETRIEVER_PARTS,
    RETRIEVER_SETTINGS,
    WEIGHTS,
    WEIGHTS_INDEX,
)
from retrieval.search.settings import is_retriever

COMMAND = "python -m deployment.bundle"
_ADAPTER, _SENTENCE = "adapter_config.json", ("modules.json", "config_sentence_transformers.json")
_WEIGHTS = ("config.json", WEIGHTS, "pytorch_model.bin", WEIGHTS_INDEX)
_CACHED = "models--"
"""Begins the names of the folders in which the hub's client keeps models."""
_VERSION = re.compile(r"production|staging|latest|\d+")
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_OURS = "neither a bundle nor a model of this project"
_NAMED = 3
_MAKE = f"`{COMMAND} --to DIR` makes a bundle of a trained retriever"


def no_bundle(folder: Path) -> str:
    """What a folder without a bundle's facts is, and how one gets to a bundle.

    Args:
        folder: Is there, and holds no ``bundle.json``.
    """
    if is_retriever(folder):
        return f"a retriever, not yet a bundle; `{COMMAND} --model {_typed(folder)} --to DIR` makes one, then name DIR"
    around = folder.absolute().parent
    if (around / BUNDLE_FACTS).is_file():
        return f"a part of the bundle {around}; name that"
    if is_retriever(around):
        make = f"`{COMMAND} --model {_typed(around)} --to DIR` makes a bundle of it, then name DIR"
        return f"a part of the retriever {around}; {make}"
    if settings_file(folder):
        return f"one model of this project, no bundle with law to search; {_MAKE}"
    if inner := _below(folder):
        return inner
    return f"{_stranger(folder)}; {_MAKE}"


def no_folder(path: Path) -> str:
    """What stands at a path where there is no folder, and what to name instead."""
    if path.is_file():
        if zipfile.is_zipfile(path) or tarfile.is_tarfile(path):
            return "an archive, no folder; unpack it and name the folder that holds bundle.json"
        return f"a file, no folder; name the bundle's folder, such as {path.parent}"
    if _VERSION.fullmatch(str(path)):
        return f"the name of a retriever, no folder; `{COMMAND} --model {path} --to DIR` makes a bundle, then name DIR"
    if _HUB_NAME.fullmatch(str(path)) and not path.parent.is_dir():
        train = f"`python run.py --pipeline training --set bi_encoder.base={path}` trains a retriever from it"
        return f"no such folder; if it is a model of the hub, {train}; {_MAKE}"
    there = [other.name for other in path.parent.glob("[!.]*/")] if path.parent.is_dir() else []
    near = get_close_matches(path.name, there, n=1, cutoff=0.6)
    hint = f"did you mean {path.parent / near[0]}?" if near else "correct it"
    return f"no such folder; write it with `{COMMAND} --model MODEL --to {_typed(path)}`, or {hint}"


def _below(folder: Path) -> str:
    """That bundles or retrievers lie inside; empty where none do."""
    inside = sorted(path for path in folder.glob("[!.]*/"))
    bundles = [path for path in inside if (path / BUNDLE_FACTS).is_file()]
    if bundles:
        return f"a folder of bundles ({_names(bundles)}); name one of them, such as {bundles[0]}"
    retrievers = [path for path in inside if is_retriever(path)]
    if retrievers:
        make = f"`{COMMAND} --model {_typed(retrievers[-1])} --to DIR` makes a bundle of one, then name DIR"
        return f"a folder of retrievers ({_names(retrievers)}); {make}"
    return ""


def _stranger(folder: Path) -> str:
    there = {path.name for path in folder.iterdir()}
    if not there:
        return "an empty folder"
    if model := _model_of_others(folder, there):
        return model
    if lacking := _lacking(there):
        return f"a part of a retriever, it lacks {', '.join(lacking)}; copy it whole from where it was made"
    if MANIFEST in there:
        return f"{_OURS}, although it has a {MANIFEST}"
    return f"{_OURS} (it holds {_names(folder / name for name in sorted(there))})"


def _lacking(there: set[str]) -> list[str]:
    """What a folder that looks like a retriever lacks of one; empty where it does not look like one."""
    settings = {RETRIEVER_SETTINGS, FORMER_RETRIEVER_SETTINGS} & there
    parts = [part for part in RETRIEVER_PARTS if part in there]
    if parts == [*RETRIEVER_PARTS] or (settings and RETRIEVER_PARTS[0] in parts):
        return [*(part for part in RETRIEVER_PARTS if part not in parts), *([] if settings else [RETRIEVER_SETTINGS])]
    return []


def _model_of_others(folder: Path, there: set[str]) -> str:
    """Which model of another library a folder holds, and what is made of it here; empty where none."""
    if _ADAPTER in there:
        return f"an adapter of another model, {_OURS}; merge it into its base"
    kind, base, key = "", str(folder), "cross_encoder.base" if _is_classifier(folder) else "bi_encoder.base"
    if there & {*_SENTENCE, *_WEIGHTS}:
        kind = "a model of sentence-transformers" if there & {*_SENTENCE} else "a model of transformers"
    elif name := _cached(folder):
        kind, base = f"the hub's cache of {name}", name
    train = f"`python run.py --pipeline training --set {shlex.quote(f'{key}={base}')}` trains a retriever from it"
    return f"{kind}, {_OURS}; {train}" if kind else ""


def _cached(folder: Path) -> str:
    """Name of the hub's model whose cache a folder is, is in or holds; empty where it is none."""
    places = [folder.absolute(), *folder.absolute().parents[:2], *sorted(folder.glob(f"{_CACHED}*--*/"))]
    found = next((path.name for path in places if path.name.startswith(_CACHED)), "")
    return found.removeprefix(_CACHED).replace("--", "/", 1)


def _is_classifier(folder: Path) -> bool:
    """Whether a model of transformers scores pairs, as rerankers do, by what its configuration says."""
    try:
        kinds = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architectures"]
        return any(str(kind).endswith("ForSequenceClassification") for kind in kinds)
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _typed(path: Path) -> str:
    """A path as it is typed in a shell."""
    return shlex.quote(str(path))


def _names(paths: Iterable[Path]) -> str:
    names = [path.name for path in paths]
    return ", ".join(names[:_NAMED]) + (" ..." if len(names) > _NAMED else "")
