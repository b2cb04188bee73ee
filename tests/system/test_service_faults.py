"""Both services as real processes: what clients can do to them, and what they then answer."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from retrieval.processes.servers import LocalServer

EMBED = {"action": "embed", "text": "nghỉ hằng năm"}
REFUSED = """[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "406", "413", "422", "428", "5xx"]
"""
"""What schemathesis counts as a refusal by itself, and 413: one item more than 2,048 it sends as 10 MiB."""
DOCUMENT = {"id": "a", "text": "Người lao động được nghỉ hằng năm."}


def rerank(count: int) -> dict[str, object]:
    return {"action": "rerank", "query": "nghỉ hằng năm", "documents": [DOCUMENT] * count}


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code; every error has the agreed shape and tells nothing of the inside."""
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text
    return answer.status_code, body["error"]["code"]


def post(server: LocalServer, body: bytes, path: str = "/infer") -> httpx.Response:
    return httpx.post(f"{server.url}{path}", content=body, headers={"content-type": "application/json"}, timeout=60)


def whole_answer(client: socket.socket) -> bytes:
    """Everything until the server closes: head and body may come in pieces."""
    return b"".join(iter(lambda: client.recv(4096), b""))


@pytest.fixture(params=["bi_encoder", "cross_encoder"])
def server(request: pytest.FixtureRequest) -> LocalServer:
    found: LocalServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture(autouse=True)
def still_answers(request: pytest.FixtureRequest):
    """Whatever a test sent, the service answers the next client."""
    names = [name for name in ("server", "bi_encoder", "cross_encoder") if name in request.fixturenames]
    servers = [request.getfixturevalue(name) for name in names]
    yield
    for one in servers:
        assert httpx.get(f"{one.url}/ready", timeout=10).status_code == 200


@pytest.mark.parametrize("examples", [3, pytest.param(150, marks=pytest.mark.slow)])
def test_every_check_of_schemathesis_passes_on_the_openapi_document(
    server: LocalServer, tmp_path: Path, examples: int
) -> None:
    (tmp_path / "schemathesis.toml").write_text(REFUSED, encoding="utf-8")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.url}/openapi.json",
            "--checks", "all", "--phases", "examples,coverage,fuzzing",
            "--max-examples", str(examples), "--generation-deterministic", "--no-color",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    tested = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert tested is not None, done.stdout[-2000:]
    assert int(tested[1]) > 50


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (os.urandom(2000), (400, "malformed")),
        (b"", (422, "invalid_input")),
        (b"[" * 100_000, (400, "malformed")),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, (400, "malformed")),
        (b'{"action": "embed", "text": NaN}', (400, "malformed")),
        (b'{"action": "search", "question": "a", "top_k": Infinity}', (400, "malformed")),
        (b'{"action": "search", "question": "a", "top_k": 1e400}', (422, "invalid_input")),
        (b'{"action": "embed", "text": "\\ud800 a"}', (400, "malformed")),
        (b'{"action": "embed", "text": "a\xed\xa0\x80"}', (400, "malformed")),
        (b'{"action": "batch_embed", "texts": []}', (422, "invalid_input")),
        (b'{"action": "rerank", "query": "a", "documents": []}', (422, "invalid_input")),
        (b'{"action": "drop", "text": "a"}', (422, "invalid_input")),
        (b'{"action": "embed", "text": " \\u200b\\n"}', (422, "invalid_input")),
        (b'{"action": "embed", "text": "a", "colour": 1}', (422, "invalid_input")),
        (json.dumps(rerank(10_000)).encode(), (422, "invalid_input")),
        (json.dumps(EMBED | {"text": "a" * 30_000}).encode(), (422, "invalid_input")),
        (json.dumps(EMBED | {"text": "luật " * 2_000_000}).encode(), (413, "body_too_large")),
        (b"x" * (10 << 20), (413, "body_too_large")),
    ],
)  # fmt: skip
def test_bad_bodies_get_an_error_that_says_so(server: LocalServer, body: bytes, expected: tuple[int, str]) -> None:
    assert error_of(post(server, body)) == expected


def test_a_question_that_holds_nothing_after_cleaning_is_refused(bi_encoder: LocalServer) -> None:
    answer = post(bi_encoder, json.dumps({"action": "search", "question": "<b></b>"}).encode())
    assert error_of(answer) == (422, "invalid_input")


def test_a_body_without_a_length_is_cut_off_at_the_limit(server: LocalServer) -> None:
    def endless():
        for _ in range(200):
            yield b"x" * 65536

    try:
        answer = httpx.post(f"{server.url}/infer", content=endless(), timeout=30)
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        return  # the answer was sent and the connection closed before all was written
    assert error_of(answer) == (413, "body_too_large")


def test_what_is_not_http_gets_an_error_too(server: LocalServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = whole_answer(client)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "malformed"


def test_headers_that_arrive_byte_by_byte_are_given_up(bi_encoder: LocalServer) -> None:
    with socket.create_connection(("127.0.0.1", bi_encoder.port), timeout=30) as client:
        client.sendall(b"POST /infer HTTP/1.1\r\nhost: x\r\n")
        with pytest.raises(OSError):
            for _ in range(100):
                client.sendall(b"a")
                time.sleep(0.1)


def test_a_body_that_arrives_byte_by_byte_is_given_up_with_an_answer(bi_encoder: LocalServer) -> None:
    with socket.create_connection(("127.0.0.1", bi_encoder.port), timeout=30) as client:
        client.sendall(
            b"POST /infer HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"
        )
        answer = whole_answer(client)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"body_too_slow" in answer


def test_slow_clients_do_not_hold_up_others(bi_encoder: LocalServer) -> None:
    slow = [socket.create_connection(("127.0.0.1", bi_encoder.port), timeout=30) for _ in range(200)]
    try:
        for client in slow:
            client.sendall(b"POST /infer HTTP/1.1\r\nhost: x\r\n")
        assert post(bi_encoder, json.dumps(EMBED).encode()).status_code == 200
        assert [client.recv(10) for client in slow] == [b""] * 200  # given up, all of them
    finally:
        for client in slow:
            client.close()


def test_a_client_that_leaves_is_counted_and_the_next_one_answered(cross_encoder: LocalServer) -> None:
    body = json.dumps(rerank(500)).encode()
    head = f"POST /infer HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", cross_encoder.port), timeout=10) as client:
            client.sendall(head.encode() + body)
            time.sleep(0.05)
    deadline = time.monotonic() + 60
    while 'status="499"' not in httpx.get(f"{cross_encoder.url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert post(cross_encoder, json.dumps(rerank(2)).encode()).status_code == 200
