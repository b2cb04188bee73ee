"""Folders with a manifest in an object store: whole or absent there too, because the manifest is written last."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from retrieval.errors import ArtifactError, StorageError
from retrieval.folders import MANIFEST, manifest_text, mended_by, replace_folder, verify_folder
from retrieval.s3.client import S3
from retrieval.s3.objects import (
    Buffer,
    copy_object,
    get_bytes,
    get_file,
    put_bytes,
    put_file,
    put_memory,
    sizes_below,
)


def upload_folder(s3: S3, folder: Path, uri: str) -> None:
    """Write every file of a folder, and its manifest when all others are known to be there.

    Raises:
        StorageError: If the store stays away or refuses; without its manifest what was sent is not loadable.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}
    for name in sizes:
        put_file(s3, folder / name, f"{uri}/{name}")
    _check_sizes(s3, uri, sizes)
    put_bytes(s3, (folder / MANIFEST).read_bytes(), f"{uri}/{MANIFEST}", "application/json")


def upload_memory(s3: S3, files: Mapping[str, Sequence[Buffer]], uri: str) -> dict[str, str]:
    """Write a folder whose files lie in memory; hashing goes on beside sending, the manifest comes last.

    Args:
        s3: Where to.
        files: Buffers of each file, one after another, by name.
        uri: The folder.

    Returns:
        SHA-256 by name.

    Raises:
        StorageError: If the store stays away or refuses; without its manifest what was sent is not loadable.
    """
    with ThreadPoolExecutor(1) as beside:
        hashes = {name: beside.submit(_sha256, buffers) for name, buffers in files.items()}
        for name, buffers in files.items():
            put_memory(s3, buffers, f"{uri}/{name}")
        listed = {name: digest.result() for name, digest in hashes.items()}
    _check_sizes(s3, uri, {name: sum(map(len, buffers)) for name, buffers in files.items()})
    put_bytes(s3, manifest_text(listed).encode(), f"{uri}/{MANIFEST}", "application/json")
    return listed


def copy_folder(s3: S3, source: str, target: str) -> None:
    """Copy a folder inside the store, its manifest last; nothing is done where it is there already."""
    manifest, _ = read_manifest(s3, source)
    sizes = {name: size for name, size in sizes_below(s3, source).items() if name != MANIFEST}
    there = sizes_below(s3, target)
    if MANIFEST in there and get_bytes(s3, f"{target}/{MANIFEST}") == manifest:
        return
    for name in sizes:
        copy_object(s3, f"{source}/{name}", f"{target}/{name}")
    _check_sizes(s3, target, sizes)
    put_bytes(s3, manifest, f"{target}/{MANIFEST}", "application/json")


def read_manifest(s3: S3, uri: str) -> tuple[bytes, dict[str, str]]:
    """The manifest as it is written and its SHA-256 by name.

    Raises:
        ArtifactError: If there is none: the folder is missing or its writing was cut short.
    """
    try:
        content = get_bytes(s3, f"{uri}/{MANIFEST}")
    except StorageError as error:
        if error.code != "NoSuchKey":
            raise
        raise ArtifactError(f"{uri}: {_without_manifest(s3, uri)}") from error
    try:
        return content, dict(json.loads(content)["files"])
    except (ValueError, KeyError, TypeError) as error:
        if content.lstrip()[:1] == b"<":
            what = "not a manifest but a web page; check AWS_ENDPOINT_URL: the API's port, and no proxy before it"
            raise ArtifactError(f"{uri}/{MANIFEST}: {what}") from error
        raise ArtifactError(
            f"{uri}/{MANIFEST}: not a manifest of this project ({error}); name a folder that it wrote, such as a bundle"
            " of `python -m deployment.bundle --to`"
        ) from error


def _without_manifest(s3: S3, uri: str) -> str:
    """What is below an address that has no manifest, and what to do about it."""
    there = sorted(sizes_below(s3, uri))
    if not there:
        return f"no {MANIFEST}; nothing is there: correct the address, or write it with `python -m deployment.bundle`"
    inner = [name for name in there if name.count("/") == 1 and name.endswith(f"/{MANIFEST}")]
    if inner and all("/" in name for name in there):
        mend = f"name a folder in it, such as {uri}/{inner[0].partition('/')[0]}"
    else:
        mend = "it is none of this project, or its writing was cut short: write it anew, or correct the address"
    return f"no {MANIFEST}; it holds {', '.join(there[:3])}{' ...' if len(there) > 3 else ''}: {mend}"


def download_folder(s3: S3, uri: str, folder: Path) -> None:
    """Fetch what a folder's manifest lists, going on where an earlier call was cut off; nothing is hashed here.

    Raises:
        ArtifactError: If the folder has no manifest or an object that it lists is missing.
    """
    content, listed = read_manifest(s3, uri)
    sizes = sizes_below(s3, uri)
    for name in listed:
        if name not in sizes:
            raise ArtifactError(f"{uri}/{name}: listed in {MANIFEST} but missing; write the folder to the store anew")
        get_file(s3, f"{uri}/{name}", folder / name, sizes[name])
    (folder / MANIFEST).write_bytes(content)


def verify_download(folder: Path, uri: str) -> None:
    """Check a fetched folder against its manifest; errors name the object and not the temporary file.

    Raises:
        ArtifactError: If a file is missing, cut short or altered.
    """
    try:
        with mended_by("write the folder to the store anew"):
            verify_folder(folder)
    except ArtifactError as error:
        raise ArtifactError(str(error).replace(str(folder), uri)) from error


def pull_folder(s3: S3, uri: str, target: Path) -> bool:
    """Put a verified copy of a folder at ``target``; a call that was cut off is taken up again.

    Args:
        s3: Where from.
        uri: The folder.
        target: Becomes the folder, whole or not at all; another one of this kind there is replaced.

    Returns:
        False if the same content was there already.

    Raises:
        ArtifactError: If an object is missing, cut short or altered, or ``target`` holds something else.
    """
    content, _ = read_manifest(s3, uri)
    if target.exists() and _is_copy(target, content):
        return False
    staging = target.parent / f".{target.name}.{hashlib.sha256(content).hexdigest()[:12]}.partial"
    try:
        download_folder(s3, uri, staging)
    except OSError as error:
        raise ArtifactError(
            f"{staging}: {error.strerror or error} while fetching {uri}; free some space and type the same command"
            " again: what is there already is not fetched twice"
        ) from error
    try:
        verify_download(staging, uri)
    except ArtifactError:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    replace_folder(staging, target)
    return True


def _is_copy(target: Path, manifest: bytes) -> bool:
    there = target / MANIFEST
    if not there.is_file():
        if target.is_dir() and not any(target.iterdir()):
            return False
        raise ArtifactError(f"{target}: exists and is no model folder; choose another place or remove it")
    try:
        verify_folder(target)
    except ArtifactError:
        return False
    return there.read_bytes() == manifest


def _sha256(buffers: Sequence[Buffer]) -> str:
    digest = hashlib.sha256()
    for buffer in buffers:
        digest.update(buffer)
    return digest.hexdigest()


def _check_sizes(s3: S3, uri: str, expected: dict[str, int]) -> None:
    found = sizes_below(s3, uri)
    for name, size in expected.items():
        if found.get(name) != size:
            raise StorageError(
                f"{uri}/{name}: {found.get(name, 0):,} of {size:,} bytes arrived; run again to write it anew", "Short"
            )
