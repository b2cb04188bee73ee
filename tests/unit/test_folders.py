"""A file is hashed once in a process, and again as soon as anything about it changed; manifests list what was."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from retrieval import folders
from retrieval.errors import ArtifactError
from retrieval.folders import MANIFEST, sha256_of, verify_folder, write_manifest


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Counts what is really hashed, a minute from now, so that files just written lie still already."""
    counted: list[object] = []

    class Time:
        time_ns = staticmethod(lambda: time.time_ns() + 60_000_000_000)

    class Hashing:
        @staticmethod
        def sha256() -> object:
            counted.append(None)
            return hashlib.sha256()

    monkeypatch.setattr(folders, "time", Time)
    monkeypatch.setattr(folders, "hashlib", Hashing)
    return counted


def written(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def test_a_file_at_rest_is_hashed_once(tmp_path: Path, hashed: list[object]) -> None:
    expected = written(tmp_path / "file", b"law")
    assert [sha256_of(tmp_path / "file") for _ in range(3)] == [expected] * 3
    assert len(hashed) == 1


def test_a_file_just_written_is_hashed_each_time(tmp_path: Path) -> None:
    expected = written(tmp_path / "file", b"law")
    assert sha256_of(tmp_path / "file") == expected
    expected = written(tmp_path / "file", b"low")  # perhaps within the same tick of the file system's clock
    assert sha256_of(tmp_path / "file") == expected


def test_a_byte_changed_in_place_is_seen_whatever_the_date_says(tmp_path: Path, hashed: list[object]) -> None:
    path = tmp_path / "file"
    written(path, b"law")
    before, first = path.stat(), sha256_of(path)
    time.sleep(0.05)  # longer than a tick
    with path.open("r+b") as stream:
        stream.write(b"L")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert sha256_of(path) != first
    assert len(hashed) == 2


def test_a_verified_folder_that_is_altered_is_refused(tmp_path: Path, hashed: list[object]) -> None:
    written(tmp_path / "file", b"law")
    write_manifest(tmp_path)
    verify_folder(tmp_path)
    time.sleep(0.05)
    written(tmp_path / "file", b"low")
    with pytest.raises(ArtifactError, match="altered"):
        verify_folder(tmp_path)


def test_a_manifest_inside_is_believed_and_checked(tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    expected = {"inner/file": written(inner / "file", b"law"), "more": written(tmp_path / "outer" / "more", b"order")}
    write_manifest(inner)
    listed = write_manifest(tmp_path / "outer")
    assert listed == {**expected, "inner/manifest.json": sha256_of(inner / MANIFEST)}
    written(inner / "file", b"low")
    assert write_manifest(tmp_path / "outer") == listed
    with pytest.raises(ArtifactError, match=r"outer/inner/file: SHA-256 .* altered"):
        verify_folder(tmp_path / "outer")


@pytest.mark.parametrize("content", [b'{"name": "page"}', b'{"files": {"icon": 7}}', b"[]", b"\xff"])
def test_a_file_that_is_only_called_a_manifest_is_listed_like_others(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "app").mkdir()
    expected = {"app/manifest.json": written(tmp_path / "app" / MANIFEST, content)}
    expected["app/icon"] = written(tmp_path / "app" / "icon", b"scales")
    assert write_manifest(tmp_path) == expected
    verify_folder(tmp_path)


def test_only_so_many_files_are_remembered(
    tmp_path: Path, hashed: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_MOST_KNOWN", 4)
    for number in range(20):
        expected = written(tmp_path / str(number), str(number).encode())
        assert sha256_of(tmp_path / str(number)) == expected
    assert len(folders._known) <= 4
