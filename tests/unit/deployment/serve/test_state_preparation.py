"""`make serve` says what the reranker does not know of the law, and has it read where that is wanted."""

import json
import logging
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deployment.serve import state_preparation
from deployment.serve.state_preparation import preparing_states

PATIENCE_SECONDS = 30.0
MISSING = {"status": "missing", "known": 0, "of": 7, "make": "python -c 'print(1)'"}
LOOKED_FOR = MISSING | {"status": "being_looked_for", "make": ""}
KNOWN = MISSING | {"status": "known", "known": 7, "make": ""}


@dataclass
class Gateway:
    url: str
    answers: list


@pytest.fixture
def gateway(monkeypatch):
    """Gives its answers one after another, the last again and again."""
    monkeypatch.setattr(state_preparation, "_ASK_EVERY_SECONDS", 0.0)
    told = Gateway("", [])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            body = json.dumps(answer).encode()
            self.send_response(200 if "status" in answer else 503)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield told
    server.shutdown()
    server.server_close()


def ready(states, reranker="ready"):
    services = None if reranker is None else {"cross_encoder": {"status": reranker}}
    return {"status": "ready", "passage_states": states, "services": services}


def said(gateway, wanted, tmp_path, caplog, ended):
    with caplog.at_level(logging.INFO), preparing_states(gateway, wanted, tmp_path / "log") as reading:
        ends = time.monotonic() + PATIENCE_SECONDS
        while not ended(caplog.text):
            assert time.monotonic() < ends, caplog.text
            reading()
    return caplog.text


def test_what_is_missing_is_said_with_the_command_where_it_is_not_to_be_read(gateway, tmp_path, caplog):
    gateway.answers = [{"error": "loading"}, ready(LOOKED_FOR), ready(MISSING)]
    text = said(gateway, False, tmp_path, caplog, lambda text: "restart" in text)
    assert "0 of 7 passages" in text
    assert MISSING["make"] in text
    assert not (tmp_path / "log").exists()


def test_nobody_watching_is_no_wish_to_read(gateway, tmp_path, caplog):
    gateway.answers = [ready(MISSING)]
    assert MISSING["make"] in said(gateway, None, tmp_path, caplog, lambda text: "restart" in text)


def test_it_is_read_where_that_is_wanted_with_what_the_service_names(gateway, tmp_path, caplog):
    gateway.answers = [ready(LOOKED_FOR), ready(MISSING)]
    text = said(gateway, True, tmp_path, caplog, lambda text: "the law is read" in text)
    assert "--no-precompute-states" in text
    assert (tmp_path / "log").read_text() == "1\n"


def test_a_reading_that_fails_is_said_with_its_log(gateway, tmp_path, caplog):
    gateway.answers = [ready(MISSING | {"make": "python -c 'raise SystemExit(3)'"})]
    text = said(gateway, True, tmp_path, caplog, lambda text: "code 3" in text)
    assert str(tmp_path / "log") in text


def test_a_reading_under_way_ends_with_serving(gateway, tmp_path, caplog):
    gateway.answers = [ready(MISSING | {"make": "python -c 'import time; time.sleep(600)'"})]
    with caplog.at_level(logging.INFO), preparing_states(gateway, True, tmp_path / "log") as reading:
        while reading._process is None:
            reading()
        process = reading._process
    assert process.returncode is not None


@pytest.mark.parametrize(
    "answers",
    [
        [ready(LOOKED_FOR), ready(KNOWN)],
        [ready(None)],
        [ready(None, reranker=None)],
        [ready(None, reranker="not_ready"), ready(KNOWN)],
    ],
)
def test_nothing_is_said_where_nothing_is_missing_and_then_nobody_is_asked_again(gateway, answers, tmp_path, caplog):
    gateway.answers = answers
    with caplog.at_level(logging.INFO), preparing_states(gateway, True, tmp_path / "log") as reading:
        ends = time.monotonic() + PATIENCE_SECONDS
        while reading._ask_at is not None:
            assert time.monotonic() < ends
            reading()
    assert caplog.text == ""
