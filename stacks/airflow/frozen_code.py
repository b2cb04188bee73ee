"""A copy of the project as it is now, for runs that start later: what is edited meanwhile changes none of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from retrieval.folders import sha256_of

_LEFT_OUT = {"models", "reports", "runs", "build", "dist", "mlruns", "__pycache__"}
"""Folders of results; hidden folders, links and ``*.egg-info`` are left out as well."""


def freeze(project: Path, folder: Path) -> Path:
    """Copy a project's files, once for each content.

    Args:
        project: Root of the project. In a git repository the files are those that git does not ignore.
        folder: Gets a subfolder named by a hash of names and contents; one that is there already is taken again.

    Returns:
        The subfolder.
    """
    files = sorted(_files(project))
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(project)}\0{sha256_of(path)}\n".encode())
    frozen = folder / digest.hexdigest()[:16]
    if not frozen.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        growing = Path(tempfile.mkdtemp(dir=folder, prefix=".growing-"))
        for path in files:
            copy = growing / path.relative_to(project)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        growing.rename(frozen)
    return frozen


def _files(project: Path) -> Iterator[Path]:
    listed = _known_to_git(project)
    for path in _walked(project) if listed is None else listed:
        if path.is_file() and not path.is_symlink():
            yield path


def _known_to_git(project: Path) -> list[Path] | None:
    """Files that git does not ignore; None outside a git repository of its own."""
    if not (project / ".git").exists():
        return None
    command = ["git", "-C", str(project), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, check=False)
    if listed.returncode:
        return None
    return [project / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]


def _walked(project: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(project):
        folders[:] = [name for name in folders if not _is_left_out(name)]
        yield from (Path(root, name) for name in names)


def _is_left_out(folder: str) -> bool:
    return folder.startswith(".") or folder in _LEFT_OUT or folder.endswith(".egg-info")
