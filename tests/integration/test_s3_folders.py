"""Folders in a real S3 server: round trips, resuming, damage, publishing and refusals."""

from __future__ import annotations

import hashlib
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from retrieval.errors import ArtifactError, StorageError
from retrieval.folders import MANIFEST, verify_folder
from retrieval.s3 import objects
from retrieval.s3.client import S3
from retrieval.s3.folders import copy_folder, download_folder, pull_folder, upload_folder, upload_memory
from retrieval.s3.objects import get_bytes, get_json, put_bytes, put_file, put_json, sizes_below
from retrieval.s3.published import latest, publish
from tests.helpers.model_folder import PART_BYTES, contents, made
from tests.helpers.s3_server import SECRET, S3Server

BUCKET = "folders"


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PART_BYTES", PART_BYTES)


@pytest.fixture
def s3(s3_server: S3Server) -> S3:
    return s3_server.client(patience_seconds=180)


def test_a_pulled_folder_is_the_uploaded_one_and_a_second_pull_fetches_nothing(s3: S3, tmp_path: Path) -> None:
    source = made(tmp_path / "source")
    upload_folder(s3, source, f"s3://{BUCKET}/whole")
    assert pull_folder(s3, f"s3://{BUCKET}/whole", tmp_path / "target") is True
    assert contents(tmp_path / "target") == contents(source)
    assert pull_folder(s3, f"s3://{BUCKET}/whole", tmp_path / "target") is False
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_sent_from_memory_is_the_one_that_would_have_been_written(s3: S3, tmp_path: Path) -> None:
    source = made(tmp_path / "source")
    files = {name: content for name, content in contents(source).items() if name != MANIFEST}
    # buffers that end inside a part, at its end and nowhere near
    cuts = {name: (0, 3, PART_BYTES, PART_BYTES, 2 * PART_BYTES + 7, len(content)) for name, content in files.items()}
    buffers = {
        name: [memoryview(content)[first:last] for first, last in pairwise(cuts[name])]
        for name, content in files.items()
    }
    listed = upload_memory(s3, buffers, f"s3://{BUCKET}/memory")
    assert pull_folder(s3, f"s3://{BUCKET}/memory", tmp_path / "target") is True
    assert contents(tmp_path / "target") == contents(source)
    assert listed == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def test_a_pull_that_was_cut_off_fetches_only_the_rest(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, uri = made(tmp_path / "source"), f"s3://{BUCKET}/resumed"
    upload_folder(s3, source, uri)
    asked: list[int] = []
    real = objects.get_pieces

    def cut_off(s3: S3, uri: str, first: int = 0, length: int | None = None) -> list[bytes]:
        if uri.endswith("weights.bin"):
            asked.append(first)
            if first >= PART_BYTES:
                raise KeyboardInterrupt
        return real(s3, uri, first, length)

    monkeypatch.setattr(objects, "_THREADS", 1)
    monkeypatch.setattr(objects, "get_pieces", cut_off)
    with pytest.raises(KeyboardInterrupt):
        pull_folder(s3, uri, tmp_path / "target")
    assert not (tmp_path / "target").exists()
    asked.clear()

    def counted(s3: S3, uri: str, first: int = 0, length: int | None = None) -> list[bytes]:
        asked.extend([first] if uri.endswith("weights.bin") else [])
        return real(s3, uri, first, length)

    monkeypatch.setattr(objects, "get_pieces", counted)
    pull_folder(s3, uri, tmp_path / "target")
    assert asked == [PART_BYTES, 2 * PART_BYTES]
    assert contents(tmp_path / "target") == contents(source)


def test_a_place_that_holds_something_else_is_refused(s3: S3, tmp_path: Path) -> None:
    upload_folder(s3, made(tmp_path / "source", 0.01), f"s3://{BUCKET}/refused")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(ArtifactError, match="is no model folder"):
        pull_folder(s3, f"s3://{BUCKET}/refused", tmp_path / "mine")
    assert contents(tmp_path / "mine") == {"thesis.txt": b"years of work"}


def test_a_folder_without_its_manifest_is_not_loadable(s3: S3, tmp_path: Path) -> None:
    upload_folder(s3, made(tmp_path / "source", 0.01), f"s3://{BUCKET}/headless")
    s3.client.delete_object(Bucket=BUCKET, Key=f"headless/{MANIFEST}")
    with pytest.raises(ArtifactError, match=r"s3://folders/headless: no manifest\.json"):
        download_folder(s3, f"s3://{BUCKET}/headless", tmp_path / "target")


@pytest.mark.parametrize("damage", [lambda content: content[:-7], lambda content: content[:-1] + b"\x00\x01"[:1]])
def test_a_truncated_or_altered_object_is_named_with_both_hashes(s3: S3, tmp_path: Path, damage: object) -> None:
    source, uri = made(tmp_path / "source", 0.1), f"s3://{BUCKET}/damaged"
    upload_folder(s3, source, uri)
    content = (source / "weights.bin").read_bytes()
    content = content[:-1] + b"\x01"  # whatever its last byte was, the altered one differs
    (source / "weights.bin").write_bytes(content)
    put_bytes(s3, damage(content), f"{uri}/weights.bin")  # type: ignore[operator]
    with pytest.raises(
        ArtifactError, match=r"s3://folders/damaged/weights\.bin: SHA-256 \w{12} but manifest\.json says"
    ):
        pull_folder(s3, uri, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_missing_object_is_named(s3: S3, tmp_path: Path) -> None:
    upload_folder(s3, made(tmp_path / "source", 0.01), f"s3://{BUCKET}/holed")
    s3.client.delete_object(Bucket=BUCKET, Key="holed/tokenizer/tokenizer.json")
    with pytest.raises(ArtifactError, match=r"s3://folders/holed/tokenizer/tokenizer\.json: listed"):
        pull_folder(s3, f"s3://{BUCKET}/holed", tmp_path / "target")


def test_publishing_copies_under_the_run_and_points_to_it(s3: S3, tmp_path: Path) -> None:
    source = made(tmp_path / "source", 0.1)
    upload_folder(s3, source, f"s3://{BUCKET}/zenml/bi_encoder/content")
    uri = publish(s3, f"s3://{BUCKET}/zenml/bi_encoder/content", f"s3://{BUCKET}/published", "7")
    assert uri == f"s3://{BUCKET}/published/run-1"
    assert set(sizes_below(s3, f"s3://{BUCKET}/published")) == {
        "latest.json", *(f"run-1/{name}" for name in contents(source)),
    }  # fmt: skip
    pointer = latest(s3, f"s3://{BUCKET}/published")
    assert (pointer.run_id, pointer.version, pointer.uri) == ("run-1", "7", uri)
    pull_folder(s3, pointer.uri, tmp_path / "target")
    verify_folder(tmp_path / "target")


def test_a_pointer_is_replaced_at_once(s3: S3) -> None:
    """Readers beside a writer see whole pointers only, old or new."""
    uri = f"s3://{BUCKET}/pointed/latest.json"
    values = [{"version": str(number), "filling": str(number) * 20_000} for number in range(2)]
    put_json(s3, values[0], uri)
    ended, seen = threading.Event(), []

    def read() -> None:
        while not ended.is_set():
            seen.append(get_json(s3, uri))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        put_json(s3, values[number % 2], uri)
    ended.set()
    reader.join()
    assert seen
    assert all(value in values for value in seen)


def test_a_copy_that_is_there_already_is_left_alone(s3: S3, tmp_path: Path) -> None:
    upload_folder(s3, made(tmp_path / "source", 0.01), f"s3://{BUCKET}/original")
    copy_folder(s3, f"s3://{BUCKET}/original", f"s3://{BUCKET}/copied")

    def dates() -> set[object]:
        listed = s3.client.list_objects_v2(Bucket=BUCKET, Prefix="copied/")["Contents"]
        return {(entry["Key"], entry["LastModified"]) for entry in listed}

    before = dates()
    time.sleep(1.1)
    copy_folder(s3, f"s3://{BUCKET}/original", f"s3://{BUCKET}/copied")
    assert dates() == before


def test_wrong_credentials_are_told_without_showing_them(s3_server: S3Server, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    with pytest.raises(StorageError, match=r"refuses the credentials .*AWS_SECRET_ACCESS_KEY") as caught:
        put_file(s3_server.client(secret="wrong-secret"), path, f"s3://{BUCKET}/file")
    assert "wrong-secret" not in str(caught.value)
    assert SECRET not in repr(s3_server.client())


def test_a_missing_bucket_is_named_with_the_command_that_makes_it(s3: S3) -> None:
    for request in (lambda: get_bytes(s3, "s3://nowhere/x"), lambda: sizes_below(s3, "s3://nowhere")):
        with pytest.raises(StorageError, match=r"has no bucket nowhere; make it with .*--create-bucket"):
            request()
