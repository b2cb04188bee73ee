"""A leftover service of ours is found by the port it holds; what is not ours is not named."""

import socket
import sys

import pytest

from retrieval.errors import ServerError
from retrieval.processes.port_holder import leftover_on
from retrieval.processes.servers import claim_port, free_port, running

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
LISTEN = (
    "import socket, sys, time; s = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[3]))); s.listen(); time.sleep(60)"
)


def test_a_leftover_is_named_with_its_process_and_how_to_end_it(tmp_path):
    port = free_port()
    command = [sys.executable, "-c", LISTEN, "-m", "deployment.bi_encoder_service", str(port)]
    with running("leftover", command, port, {}, tmp_path / "log") as server:
        while leftover_on(port) is None:
            server.check()
        left = leftover_on(port)
        assert (left.name, left.process) == ("bi encoder service", server.process.pid)
        with pytest.raises(ServerError, match=rf"port {port} is taken by a bi encoder service.*kill {left.process}"):
            claim_port(port, "--bi-encoder-port")
    assert claim_port(port, "--bi-encoder-port") == port


def test_a_stranger_and_a_free_port_are_nobodys_leftover():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert leftover_on(taken.getsockname()[1]) is None
    assert leftover_on(free_port()) is None


def test_where_the_system_does_not_tell_nothing_is_found(tmp_path):
    assert leftover_on(80, tmp_path / "no-proc") is None
