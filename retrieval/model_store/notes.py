"""Small JSON files beside and in kept retrievers, and the lock that their writers hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from retrieval.errors import ArtifactError
from retrieval.folders import write_file

FACTS = "facts.json"
"""In a kept folder: where the version comes from, as far as it was known when it was kept."""
POINTER = "latest.json"
"""Beside the kept folders: the one that the last training gave."""
STAGES_FILE = "stages.json"
"""Beside the kept folders: which version is in which stage, by store."""

_LOCK = ".lock"
_REMEDIES = {
    POINTER: "delete it, and the retriever kept last counts as the newest",
    STAGES_FILE: "delete it; `python -m registry.local.stages` writes it anew",
    FACTS: "delete the version's folder and train again",
}


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Nobody else on this machine changes what is kept below ``root`` until the block ends."""
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / _LOCK):
        yield


def write_note(path: Path, values: Mapping[str, object]) -> None:
    """Write a note, whole or not at all."""
    with write_file(path) as staging:
        staging.write_text(json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def read_note(path: Path) -> dict[str, object]:
    """Read a note.

    Raises:
        ArtifactError: If it is damaged; says what to do about it.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: cannot be read ({error}); {_REMEDIES[path.name]}") from error
    if not isinstance(values, dict):
        raise ArtifactError(f"{path}: holds {type(values).__name__}, not an object; {_REMEDIES[path.name]}")
    return values
