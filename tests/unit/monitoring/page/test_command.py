"""The page's command: wrong addresses and taken ports are one line, and a signal ends it well."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import pytest

from monitoring.page.command import main
from retrieval.processes.servers import free_port, running


@pytest.mark.parametrize("address", ["9090", "localhost:9090", "ftp://a", "http://", "http://a:b"])
@pytest.mark.parametrize("option", ["--prometheus", "--alertmanager"])
def test_what_is_no_address_is_refused(option: str, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([option, address, "--port", "0"]) == 2
    assert capsys.readouterr().err == (
        f"error: {option}: got {address!r}; give an address such as http://127.0.0.1:9090\n"
    )


def test_a_taken_port_is_a_failure() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        assert main(["--port", str(held.getsockname()[1])]) == 1


def test_it_listens_on_this_machine_alone_and_a_signal_ends_it_with_0(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "monitoring.page", "--port", str(port)]
    with running("page", command, port, {}, tmp_path / "log") as server:
        server.wait_until_ready("/health", 60)
        with socket.socket() as other, pytest.raises(OSError, match="refused"):
            other.connect(("127.0.0.2", port))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
