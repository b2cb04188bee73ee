"""Processes of this machine: their ports, their end, and what others do without them."""

import logging
import socket
import sys

import pytest

from retrieval.errors import ServerError
from retrieval.processes.servers import claim_port, free_port, running, serve_until_interrupted

FAILS = [sys.executable, "-c", "import sys; print('it broke', flush=True); sys.exit(3)"]
LIVES = [sys.executable, "-c", "import time; time.sleep(4)"]


def test_a_port_that_is_taken_is_refused_and_any_is_given_where_none_is_wanted():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"port {port} is taken.*--port"):
            claim_port(port, "--port")
        assert free_port(port) != port
    assert claim_port(port, "--port") == port
    assert claim_port(0, "--port") > 0


def test_a_server_that_ends_is_an_error_with_its_last_words(tmp_path):
    with (
        running("broken", FAILS, 1, {}, tmp_path / "log") as server,
        pytest.raises(ServerError, match=r"(?s)broken: ended with code 3.*it broke"),
    ):
        serve_until_interrupted([server])


def test_one_that_is_not_needed_is_said_and_the_others_go_on(tmp_path, caplog):
    with (
        running("spare", FAILS, 1, {}, tmp_path / "spare") as spare,
        running("needed", LIVES, 2, {}, tmp_path / "needed") as needed,
        caplog.at_level(logging.WARNING),
        pytest.raises(ServerError, match="needed: ended with code 0"),
    ):
        serve_until_interrupted([needed], [spare])
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("spare: ended with code 3")
    assert said.endswith("the others go on without it")


def test_one_that_does_not_become_ready_is_an_error_with_what_it_says(tmp_path):
    port = free_port()
    answers = (
        "import http.server, sys\n"
        "class Handler(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(503)\n"
        "        self.end_headers()\n"
        "        self.wfile.write(b'waits for the bi-encoder')\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n"
    )
    command = [sys.executable, "-c", answers, str(port)]
    with running("slow", command, port, {}, tmp_path / "log") as server:
        while "503" not in (tmp_path / "log").read_text():
            with pytest.raises(ServerError):
                server.wait_until_ready("/ready", 0.5)
        with pytest.raises(ServerError, match=r"not ready at .*/ready in 0.5 s, which says waits for the bi-encoder"):
            server.wait_until_ready("/ready", 0.5)


def test_last_words_in_json_are_shown_as_a_person_reads_them(tmp_path):
    said = {"timestamp": "2026-01-01", "level": "ERROR", "message": "it broke", "service": "gateway"}
    code = f"import json, sys; print(json.dumps({said!r})); print('3'); print('plain', flush=True); sys.exit(3)"
    with (
        running("broken", [sys.executable, "-c", code], 1, {}, tmp_path / "log") as server,
        pytest.raises(ServerError, match=r"last of its log:\nERROR it broke\n3\nplain$"),
    ):
        serve_until_interrupted([server])
