"""Folders on their way when the S3 server dies, comes back or not, or a disk is full."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.errors import ArtifactError, RetrievalError, StorageError
from retrieval.s3 import objects
from retrieval.s3.client import S3
from retrieval.s3.folders import pull_folder, upload_folder
from tests.helpers.model_folder import PART_BYTES, contents, made
from tests.helpers.s3_server import S3Server, new_server, remove
from tests.integration.conftest import ROOT

BUCKET = "folders"
pytestmark = pytest.mark.slow  # waits for servers to go and to come back


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PART_BYTES", PART_BYTES)


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server that tests kill; each starts it again."""
    server = new_server(tmp_path_factory.mktemp("fragile"))
    server.start(BUCKET)
    yield server
    remove(server)


def test_an_upload_goes_on_when_the_server_comes_back(
    fragile: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fragile.kill()
    fragile.start(BUCKET)
    source, s3 = made(tmp_path / "source", 14.5), fragile.client(patience_seconds=120)
    struck = kill_after_parts(fragile, s3, monkeypatch, parts=2)
    upload = threading.Thread(target=upload_folder, args=(s3, source, f"s3://{BUCKET}/outage"))
    upload.start()
    assert struck.wait(120)
    time.sleep(2)
    fragile.launch()
    upload.join(240)
    assert not upload.is_alive()
    pull_folder(s3, f"s3://{BUCKET}/outage", tmp_path / "target")
    assert contents(tmp_path / "target") == contents(source)


def test_a_server_that_stays_away_gives_one_clear_error_and_nothing_loadable(
    fragile: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fragile.kill()
    fragile.start(BUCKET)
    s3, uri = fragile.client(patience_seconds=3), f"s3://{BUCKET}/abandoned"
    with monkeypatch.context() as patched:
        kill_after_parts(fragile, s3, patched, parts=2)
        with pytest.raises(StorageError, match=r"weights\.bin: http://127\.0\.0\.1:\d+ cannot be reached after 3 s"):
            upload_folder(s3, made(tmp_path / "source", 14.5), uri)
    fragile.start(BUCKET)
    with pytest.raises(ArtifactError, match=r"no manifest\.json"):
        pull_folder(fragile.client(), uri, tmp_path / "target")


def kill_after_parts(server: S3Server, s3: S3, patched: pytest.MonkeyPatch, parts: int) -> threading.Event:
    """Kill the server when so many parts have been sent and the next is on its way."""
    struck, sent, real = threading.Event(), [], s3.client.upload_part

    def upload_part(**arguments: object) -> object:
        if len(sent) >= parts and not struck.is_set():
            server.kill()
            struck.set()
        answer = real(**arguments)
        sent.append(arguments["PartNumber"])
        return answer

    patched.setattr(s3.client, "upload_part", upload_part)
    return struck


@pytest.mark.skipif(shutil.which("unshare") is None, reason="makes a small disk with unshare")
def test_a_server_whose_disk_is_full_is_told_and_what_it_got_is_not_loadable(tmp_path: Path) -> None:
    server = new_server(tmp_path / "small", disk_megabytes=24)
    try:
        server.start(BUCKET)
        with pytest.raises(StorageError, match=r"is its disk full\?|cannot be reached"):
            upload_folder(server.client(3), made(tmp_path / "source", 9), f"s3://{BUCKET}/large")
        with pytest.raises(RetrievalError):
            pull_folder(server.client(3), f"s3://{BUCKET}/large", tmp_path / "target")
        assert not (tmp_path / "target").exists()
    finally:
        remove(server)


FILL = """\
import sys
from pathlib import Path
from retrieval.errors import RetrievalError
from retrieval.s3.client import settings_from_environment, connect
from retrieval.s3.folders import pull_folder

try:
    pull_folder(connect(settings_from_environment()), sys.argv[1], Path(sys.argv[2]))
except RetrievalError as error:
    sys.exit(f"error: {error}")
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="makes a small disk with unshare")
def test_a_full_disk_ends_a_pull_with_one_line_and_what_was_fetched_is_kept(
    s3_server: S3Server, tmp_path: Path
) -> None:
    upload_folder(s3_server.client(), made(tmp_path / "source", 2.5), f"s3://{BUCKET}/too-large")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=8m none "$0" && exec "$1" -c "$2" "$3" "$0/model"'
    command = ["unshare", "-rm", "sh", "-c", script, str(disk), sys.executable, FILL, f"s3://{BUCKET}/too-large"]
    environment = {**os.environ, **s3_server.environment, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no small disk to be had: {done.stderr.strip()}")
    assert "No space left on device while fetching" in done.stderr
    assert "type the same command again" in done.stderr
    assert "Traceback" not in done.stderr
