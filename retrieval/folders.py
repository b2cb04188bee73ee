"""Folders that are whole or absent: written aside, listed with SHA-256 in a manifest, moved into place at once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from retrieval.errors import ArtifactError

MANIFEST = "manifest.json"
_SETTLED_NS = 2_000_000_000
"""Age of a file's last change from which another change is sure to show in its dates, nanoseconds."""
_MOST_KNOWN = 4096
_PIECE = 4 << 20
"""Bytes hashed at once; a thread waits for the interpreter after each piece, with 1 MiB longer than it hashes."""

_known: dict[tuple[int, ...], str] = {}  # SHA-256 of files by what the system says of them


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces of 4 MiB; one that this process has read is not read again.

    A manifest lists the files of folders inside its folder, which have manifests of their own. Two files are the same
    if number, size and the dates of the last changes are, and these lay two seconds back when the file was read.
    """
    with path.open("rb", buffering=0) as stream:
        found = os.fstat(stream.fileno())
        identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if known := _known.get(identity):
            return known
        age = time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns)
        digest, buffer = hashlib.sha256(), memoryview(bytearray(min(_PIECE, found.st_size) or 1))
        while count := stream.readinto(buffer):
            digest.update(buffer[:count])
    if age > _SETTLED_NS:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[identity] = digest.hexdigest()
    return digest.hexdigest()


def _files_below(folder: Path) -> list[Path]:
    """Everything but the folder's own manifest; manifests of folders inside it are files like others."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)


def write_manifest(folder: Path) -> dict[str, str]:
    """List every file below ``folder`` with its SHA-256 in ``manifest.json``.

    What a manifest inside the folder lists is taken from there and not read again; were it wrong, `verify_folder`
    would find it so.

    Returns:
        SHA-256 by relative POSIX path.
    """
    names = [path.relative_to(folder).as_posix() for path in _files_below(folder)]
    listed = _listed_inside(folder, names)
    files = {name: listed.get(name) or sha256_of(folder / name) for name in names}
    (folder / MANIFEST).write_text(manifest_text(files), encoding="utf-8")
    return files


def _listed_inside(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 by path relative to ``folder`` of what the manifests among its files list."""
    found: dict[str, str] = {}
    for name in names:
        inner, _, last = name.rpartition("/")
        if last == MANIFEST:
            with suppress(ArtifactError):  # another thing of that name
                found |= {f"{inner}/{path}": value for path, value in _read_manifest(folder / name).items()}
    return found


def manifest_text(files: Mapping[str, str]) -> str:
    """What a manifest that lists these files says.

    Args:
        files: SHA-256 by relative POSIX path.
    """
    return json.dumps({"files": dict(files)}, indent=2, sort_keys=True) + "\n"


def content_hash(folder: Path) -> str:
    """One SHA-256 over the names and contents of all files below ``folder``, whatever their dates."""
    digest = hashlib.sha256()
    for path in _files_below(folder):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()


@contextmanager
def write_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder to write into, then add the manifest and move it to ``target``.

    An error, a full disk or a kill before the end leaves ``target`` as it was.

    Args:
        target: Where the finished folder goes; an older one there is replaced.

    Yields:
        A temporary folder beside ``target``.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield staging
        write_manifest(staging)
        _sync(staging)
        replace_folder(staging, target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def link_or_copy(source: Path, target: Path) -> None:
    """Have a file of a finished folder in another one, by a link where the file system gives one.

    Finished files are replaced, never written into, so that sharing one is safe and takes no room twice. An older
    file there goes first.
    """
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source.resolve())
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(source, target)


@contextmanager
def write_file(target: Path) -> Iterator[Path]:
    """Give a temporary file beside ``target`` to write into, then move it to ``target``; an error leaves no trace."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    staging = Path(name)
    try:
        yield staging
        with staging.open("rb") as stream:
            os.fsync(stream.fileno())
        staging.chmod(0o644)
        staging.replace(target)
    except BaseException:
        staging.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    for path in [*_files_below(folder), folder / MANIFEST]:
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


def replace_folder(staging: Path, target: Path) -> None:
    """Move a finished folder to ``target`` at once; an older one there is removed afterwards."""
    staging.chmod(0o755)
    if not target.exists():
        staging.replace(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    target.replace(old / "old")
    staging.replace(target)
    shutil.rmtree(old, ignore_errors=True)


class FolderError(ArtifactError):
    """A folder does not hold what its manifest says.

    Attributes:
        fault: What is wrong.
    """

    def __init__(self, fault: str, remedy: str = "write it anew, or copy it whole from where it was made") -> None:
        super().__init__(f"{fault}; {remedy}")
        self.fault = fault


@contextmanager
def mended_by(remedy: str) -> Iterator[None]:
    """Have what a check of a folder in the block raises advise the step that mends it there.

    Args:
        remedy: Such as ``run the pipeline that made it with --no-cache``.
    """
    try:
        yield
    except FolderError as error:
        raise FolderError(error.fault, remedy) from error


def verify_folder(folder: Path, checked: Callable[[int], object] = lambda _: None) -> None:
    """Check that a folder holds exactly what its manifest lists.

    Args:
        folder: With its manifest.
        checked: Told the size of each file that was read, in bytes.

    Raises:
        FolderError: If the folder or manifest is missing, or a file is missing or was altered.
    """
    for name, expected in listed_files(folder).items():
        path = folder / name
        if not path.is_file():
            raise FolderError(f"{path}: listed in {MANIFEST} but missing")
        got = sha256_of(path)
        if got != expected:
            raise FolderError(
                f"{path}: SHA-256 {got[:12]} but {MANIFEST} says {expected[:12]}; the file is cut short or altered"
            )
        checked(path.stat().st_size)


def listed_files(folder: Path) -> dict[str, str]:
    """SHA-256 by relative POSIX path, as a folder's manifest says.

    Raises:
        FolderError: If there is no manifest, or something else of that name.
    """
    if not (folder / MANIFEST).is_file():
        raise FolderError(f"{folder}: no {MANIFEST}; the folder is missing or its writing was cut short")
    return _read_manifest(folder / MANIFEST)


def _read_manifest(path: Path) -> dict[str, str]:
    try:
        listed = dict(json.loads(path.read_text(encoding="utf-8"))["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise FolderError(f"{path}: not a manifest of this project ({error})") from error
    if not all(isinstance(value, str) for value in listed.values()):
        raise FolderError(f"{path}: not a manifest of this project (it lists no hashes)")
    return listed
