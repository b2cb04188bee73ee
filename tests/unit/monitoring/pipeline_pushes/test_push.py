"""A push that cannot be made: dropped, counted, told in one line, never raised."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from monitoring.pipeline_pushes import RunMetrics, push_run
from monitoring.pipeline_pushes.command import main
from monitoring.pipeline_pushes.dropped import count_dropped, dropped_so_far
from monitoring.pipeline_pushes.pushgateway import checked_address
from retrieval.errors import ConfigError
from retrieval.processes.servers import free_port
from tests.helpers.monitoring_servers import strange_pushgateway

RUN = RunMetrics("training", True, 1.0, 2.0)


def test_nobody_listening_drops_the_push_and_counts_it(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    address = f"http://127.0.0.1:{free_port()}"
    with caplog.at_level(logging.WARNING):
        assert not push_run(address, RUN, tmp_path / "made")
        assert not push_run(address, RUN, tmp_path / "made")
    assert dropped_so_far(tmp_path / "made", "training") == 2
    assert len(caplog.messages) == 2
    assert "the 2. of this pipeline" in caplog.messages[1]
    assert "Connection refused" in caplog.messages[1]


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [(400, b"pushed metrics are invalid", "400: pushed metrics are invalid"), (503, b"", "503"), (302, b"", "302")],
)
def test_an_answer_that_is_no_yes_drops_the_push(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int, body: bytes, says: str
):
    with strange_pushgateway(status, body) as address:
        assert not push_run(address, RUN, tmp_path)
    assert dropped_so_far(tmp_path, "training") == 1
    (line,) = caplog.messages
    assert says in line


def test_an_answer_that_drips_in_for_ever_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with strange_pushgateway(wait_seconds=600) as address:
        assert not push_run(address, RUN, tmp_path, seconds=0.3)
    assert "no answer in 0.3 s" in caplog.text


@pytest.mark.parametrize("address", ["", "pushgateway:9091", "ftp://x", "http://", "http://x:abc", "http://x?y"])
def test_what_is_no_address_is_refused(address: str):
    with pytest.raises(ConfigError, match=r"Pushgateway: got .*; give an address such as"):
        checked_address(address)


def test_an_address_with_a_password_is_refused_without_showing_it():
    with pytest.raises(ConfigError, match="holds a user or password") as raised:
        checked_address("http://me:secret-word@host:9091")
    assert "secret-word" not in str(raised.value)


def test_counts_are_kept_for_each_pipeline_and_survive_a_damaged_file(tmp_path: Path):
    assert [count_dropped(tmp_path, name) for name in ("data", "data", "training")] == [1, 2, 1]
    (tmp_path / "data.dropped").write_text("rubbish")
    assert dropped_so_far(tmp_path, "data") == 0
    assert count_dropped(tmp_path, "data") == 1


def test_without_a_disk_nothing_is_counted(tmp_path: Path):
    assert count_dropped(None, "data") == 0
    assert dropped_so_far(None, "data") == 0


def test_a_folder_that_cannot_be_made_fails_no_run(tmp_path: Path):
    (tmp_path / "file").write_text("")
    assert count_dropped(tmp_path / "file", "data") == 1


def test_the_command_tells_a_pushgateway_that_is_away(capsys: pytest.CaptureFixture[str]):
    port = free_port()
    assert main(["list", "--pushgateway", f"http://127.0.0.1:{port}"]) == 1
    assert f"error: Pushgateway at http://127.0.0.1:{port}: " in capsys.readouterr().err


def test_the_command_tells_what_is_no_pushgateway(capsys: pytest.CaptureFixture[str]):
    with strange_pushgateway(body=b"<html>hello</html>") as address:
        assert main(["list", "--pushgateway", address]) == 1
    assert "not as a Pushgateway does" in capsys.readouterr().err
