"""Where trained retrievers are kept on this machine, so that they are found without a tracking server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from retrieval.errors import ArtifactError
from retrieval.folders import MANIFEST, link_or_copy, verify_folder, write_file, write_folder

KEPT = Path("models/legal-retriever")
"""Default place, below the folder commands are typed in."""

FACTS = "facts.json"
"""In a kept folder: where the version comes from, as far as it was known when it was kept."""
STAGES = ("production", "staging")
"""Names that stand for whichever version is in that stage."""

_POINTER, _STAGES_FILE = "latest.json", "stages.json"
_REMEDIES = {
    _POINTER: "delete it and name a version, or train again",
    _STAGES_FILE: "delete it; `python -m steps.promotion.kept_stages` writes it anew",
    FACTS: "delete the version's folder and train again",
}


def keep(folder: Path, version: str, root: Path = KEPT, facts: Mapping[str, str] | None = None) -> Path:
    """Keep a retriever folder under its version and make it the newest; on one disk the files are shared.

    Args:
        folder: Written by `Retriever.save`.
        version: Name of the version.
        root: Where retrievers are kept.
        facts: Where the version comes from; see `facts_of`.

    Returns:
        The kept folder.
    """
    verify_folder(folder)
    target = root / version
    with write_folder(target) as staging:
        for path in folder.rglob("*"):
            copy = staging / path.relative_to(folder)
            if path.is_file() and path != folder / MANIFEST:  # that is written anew
                copy.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(path, copy)
        if facts is not None:
            _write_json(staging / FACTS, facts)
    _write_json(root / _POINTER, {"version": version})
    return target


def facts_of(folder: Path) -> dict[str, str]:
    """Where a kept version comes from: ``retriever``, ``bi_encoder`` and ``cross_encoder`` (versions), ``code``.

    A folder that was kept without facts says only its version; another folder says nothing.

    Raises:
        ArtifactError: If the file is damaged.
    """
    path = folder / FACTS
    if not path.is_file():
        return {"retriever": folder.name} if (folder.parent / _POINTER).is_file() else {}
    return {str(name): str(value) for name, value in _read_json(path).items()}


def record_stages(stages: Mapping[str, str], root: Path = KEPT) -> None:
    """Note which version is in which stage, so that it is known without ZenML; nothing where nothing is kept.

    Args:
        stages: Version by stage; a stage that is empty is left out.
        root: Where retrievers are kept.
    """
    if root.is_dir():
        _write_json(root / _STAGES_FILE, stages)


def recorded_stages(root: Path = KEPT) -> dict[str, str]:
    """Version by stage, as `record_stages` noted it last.

    Raises:
        ArtifactError: If the file is damaged.
    """
    path = root / _STAGES_FILE
    return {name: str(version) for name, version in _read_json(path).items()} if path.is_file() else {}


def kept_folder(version: str = "latest", root: Path = KEPT) -> Path:
    """Folder of a kept retriever.

    Args:
        version: Name of a version, ``latest``, or a stage as it was last recorded.
        root: Where retrievers are kept.

    Raises:
        ArtifactError: If there is none.
    """
    pointer = root / _POINTER
    if version == "latest":
        if not pointer.is_file():
            raise ArtifactError(f"{root}: no trained retriever here; run `python run.py --pipeline training` first")
        version = str(_read_json(pointer).get("version", ""))
    if version in STAGES:
        version = _in_stage(version, root)
    folder = root / version
    if not folder.is_dir():
        known = ", ".join(sorted(path.name for path in root.glob("[!.]*/"))) or "none"
        raise ArtifactError(f"{folder}: no such retriever; kept here: {known}")
    return folder


def _in_stage(stage: str, root: Path) -> str:
    version = recorded_stages(root).get(stage, "")
    if not version:
        raise ArtifactError(
            f"{root}: no version is known to be in {stage}; promote one with `python run.py --pipeline promotion`,"
            " or name a version or latest"
        )
    if not (root / version).is_dir():
        raise ArtifactError(
            f"{root / version}: version {version} is in {stage} but was not kept on this machine; train it here, or"
            " copy the folder, or a bundle of it, from the machine that did"
        )
    return version


def _write_json(path: Path, values: Mapping[str, str]) -> None:
    with write_file(path) as staging:
        staging.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, object]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: cannot be read ({error}); {_REMEDIES[path.name]}") from error
    if not isinstance(values, dict):
        raise ArtifactError(f"{path}: holds {type(values).__name__}, not an object; {_REMEDIES[path.name]}")
    return values
