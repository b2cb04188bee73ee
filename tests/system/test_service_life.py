"""How services start, guard their doors and stop, as real processes."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from deployment.bundle.format import Bundle
from retrieval.errors import ServerError
from retrieval.processes.servers import LocalServer
from tests.helpers.metric_values import scraped
from tests.helpers.service_processes import START_SECONDS, service

KEY = "a-key-of-our-own-1234"


def rerank(server: LocalServer, count: int) -> httpx.Response:
    documents = [{"text": f"Người lao động được nghỉ hằng năm {number} ngày " * 8} for number in range(count)]
    payload = {"action": "rerank", "query": "nghỉ hằng năm", "documents": documents}
    return httpx.post(f"{server.url}/infer", json=payload, timeout=120)


def test_sigterm_under_load_answers_what_is_in_flight_refuses_what_is_new_and_ends_with_zero(
    bundle: Bundle, tmp_path: Path
) -> None:
    with service("cross_encoder_service", bundle.folder, tmp_path / "log") as server, ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(rerank, server, 400) for _ in range(12)]
        while scraped(httpx.get(f"{server.url}/metrics").text, "endpoint_queue_depth") == 0:
            assert not all(one.done() for one in asked), "nothing ever waited"
            time.sleep(0.01)
        time.sleep(0.5)  # all twelve are in
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.url}/health", timeout=5)
        answers = [one.result() for one in asked]
        assert [answer.status_code for answer in answers] == [200] * 12
        assert all(answer.json()["count"] == 400 for answer in answers)
        assert server.process.wait(60) == 0


def test_a_bundle_with_one_flipped_bit_is_never_served(bundle: Bundle, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle.folder, tmp_path / "copy"))
    weights = copy / "bi-encoder/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with (
        service("bi_encoder_service", copy, tmp_path / "log", ready=False) as server,
        pytest.raises(ServerError, match=r"ended with code 1(.|\n)*model\.safetensors: SHA-256"),
    ):
        server.wait_until_ready("/ready", START_SECONDS)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_keys_rates_and_bodies_are_watched_at_the_doors(bundle: Bundle, tmp_path: Path) -> None:
    variables = {
        "RETRIEVER_API_KEYS": f"{KEY}, another-key-that-is-ours",
        "RETRIEVER_REQUESTS_PER_MINUTE": "3",
        "RETRIEVER_MAX_BODY_BYTES": "2000",
        "RETRIEVER_CORS_ORIGINS": "https://law.example",
    }
    with service("bi_encoder_service", bundle.folder, tmp_path / "log", variables) as server:
        payload = {"action": "embed", "text": "bí mật của khách hàng"}

        def embed(key: str = "", **headers: str) -> httpx.Response:
            given = {"authorization": f"Bearer {key}"} if key else {}
            return httpx.post(f"{server.url}/infer", json=payload, headers={**given, **headers}, timeout=30)

        refused = embed()
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthorized")
        assert refused.headers["www-authenticate"] == "Bearer"
        assert embed(KEY + "x").status_code == 401
        assert embed(KEY).status_code == 200
        assert (
            embed(**{"x-api-key": KEY, "origin": "https://law.example"}).headers["access-control-allow-origin"]
            == "https://law.example"
        )
        assert embed(KEY).status_code == 200
        limited = embed(KEY)
        assert (limited.status_code, limited.json()["error"]["code"]) == (429, "rate_limited")
        assert 1 <= int(limited.headers["retry-after"]) <= 20
        assert embed("another-key-that-is-ours").status_code == 200
        large = httpx.post(
            f"{server.url}/infer", content=json.dumps(payload | {"text": "a" * 3000}), headers={"x-api-key": KEY}
        )
        assert large.status_code in {413, 429}
        assert httpx.get(f"{server.url}/health").status_code == 200
        assert "rate_limited" in httpx.get(f"{server.url}/metrics").text
    log = (tmp_path / "log").read_text()
    assert "bí mật" not in log
    assert KEY not in log


@pytest.mark.slow
def test_questions_are_logged_only_where_that_is_asked_for(bundle: Bundle, tmp_path: Path) -> None:
    with service("bi_encoder_service", bundle.folder, tmp_path / "log", {"RETRIEVER_LOG_QUESTIONS": "true"}) as server:
        payload = {"action": "search", "question": "câu hỏi được ghi lại"}
        assert httpx.post(f"{server.url}/infer", json=payload, timeout=30).status_code == 200
    assert "search: 'câu hỏi được ghi lại'" in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_health_answers_while_the_bundle_is_loading(bundle: Bundle, tmp_path: Path) -> None:
    with service("cross_encoder_service", bundle.folder, tmp_path / "log", ready=False) as server:
        deadline, seen = time.monotonic() + START_SECONDS, set()
        while 200 not in seen:
            assert time.monotonic() < deadline
            try:
                assert httpx.get(f"{server.url}/health", timeout=10).status_code == 200
                seen.add(httpx.get(f"{server.url}/ready", timeout=10).status_code)
            except httpx.ConnectError:
                time.sleep(0.005)
        assert seen == {200, 503}


@pytest.mark.slow
def test_a_port_in_use_ends_with_one_clear_line(bundle: Bundle, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = {"RETRIEVER_PORT": str(taken.getsockname()[1])}
        with service("bi_encoder_service", bundle.folder, tmp_path / "log", port, ready=False) as server:
            assert server.process.wait(START_SECONDS) == 1
    assert "address already in use" in (tmp_path / "log").read_text()
