"""Where trained retrievers are kept on this machine, so that they are found without a tracking server."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from retrieval.errors import ArtifactError
from retrieval.folders import verify_folder, write_folder

KEPT = Path("models/legal-retriever")
"""Default place, below the folder commands are typed in."""

_POINTER = "latest.json"


def keep(folder: Path, version: str, root: Path = KEPT) -> Path:
    """Keep a copy of a retriever folder under its version and make it the newest.

    Args:
        folder: Written by `Retriever.save`.
        version: Name of the version.
        root: Where retrievers are kept.

    Returns:
        The kept folder.
    """
    verify_folder(folder)
    target = root / version
    with write_folder(target) as staging:
        for path in folder.iterdir():
            if path.is_dir():
                shutil.copytree(path, staging / path.name)
            else:
                shutil.copy2(path, staging / path.name)
    temporary = root / f".{_POINTER}.{os.getpid()}"
    temporary.write_text(json.dumps({"version": version}) + "\n", encoding="utf-8")
    temporary.replace(root / _POINTER)
    return target


def kept_folder(version: str = "latest", root: Path = KEPT) -> Path:
    """Folder of a kept retriever.

    Args:
        version: Name of a version, or ``latest``.
        root: Where retrievers are kept.

    Raises:
        ArtifactError: If there is none.
    """
    pointer = root / _POINTER
    if version == "latest":
        if not pointer.is_file():
            raise ArtifactError(f"{root}: no trained retriever here; run `python run.py --pipeline training` first")
        try:
            version = str(json.loads(pointer.read_text(encoding="utf-8"))["version"])
        except (ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{pointer}: not a pointer ({error}); delete it and train again") from error
    folder = root / version
    if not folder.is_dir():
        known = ", ".join(sorted(path.name for path in root.glob("[!.]*/"))) or "none"
        raise ArtifactError(f"{folder}: no such retriever; kept here: {known}")
    return folder
