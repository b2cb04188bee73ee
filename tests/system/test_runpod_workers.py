"""Real worker processes under RunPod's SDK: its job loop against a stand-in control plane, and its local server."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployment.bundle.format import Bundle
from tests.helpers.metric_values import scraped
from tests.helpers.runpod_control_plane import ControlPlane
from tests.helpers.s3_server import free_ports
from tests.helpers.service_processes import service
from tests.helpers.tiny_bundle import QUESTION

ROOT = Path(__file__).resolve().parents[2]
EMBED = {"action": "embed", "text": QUESTION}
STARTED_SECONDS = 300
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def start(bundle: Bundle) -> Iterator[Start]:
    """Starts workers over the tiny bundle, which end with the tests."""
    running: list[subprocess.Popen[str]] = []

    def started(*command: str, **environment: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RUNPOD_", "RETRIEVER_"))}
        own = {"RETRIEVER_BUNDLE": str(bundle.folder), "RETRIEVER_THREADS": "1", "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**kept, **own, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        return process

    yield started
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    made = ControlPlane()
    made.start()
    yield made
    made.stop()


def error_of(result: dict[str, Any]) -> dict[str, Any]:
    assert set(result) == {"error"}
    told: dict[str, Any] = json.loads(result["error"])
    return told


def test_the_job_loop_answers_good_and_bad_jobs_and_ends_on_sigterm_with_what_it_took_answered(
    start: Start, plane: ControlPlane
) -> None:
    ids = plane.submit(EMBED)  # waits for the worker, as on a sleeping endpoint
    worker = start(".runpod/handler.py", **plane.environment)
    first = plane.results_of(ids, STARTED_SECONDS)[0]["output"]
    assert first["count"] == 1
    assert first["cold_start"]["total_seconds"] > first["cold_start"]["imports_seconds"] > 0

    nan = {"action": "embed", "text": QUESTION, "x": float("nan")}
    wrong = [{"action": "dance"}, {}, "no object", nan, {"action": "embed", "text": "\ud800"}]
    results = plane.run(EMBED, *wrong, {"action": "search", "question": QUESTION, "top_k": 2})
    assert results[0]["output"]["embedding"] == pytest.approx(first["embedding"], abs=1e-5)
    assert results[-1]["output"]["count"] == 2
    assert "cold_start" not in results[-1]["output"]
    for result in results[1:-1]:
        told = error_of(result)
        assert told["code"] in {"invalid_input", "malformed"}
        assert "Traceback" not in told["message"]

    many = {"action": "batch_embed", "texts": [f"{QUESTION} {n}" for n in range(20)]}
    ids = plane.submit(*[many] * 16)
    while not plane.batches or sum(plane.batches) < 8 + 16:
        time.sleep(0.01)
    assert max(plane.batches) > 1  # jobs come in batches, so that they share forwards
    worker.send_signal(signal.SIGTERM)
    assert [result["output"]["count"] for result in plane.results_of(ids)] == [20] * 16
    output, _ = worker.communicate(timeout=120)
    assert worker.returncode == 0, output[-2000:]
    assert QUESTION not in output  # questions are not logged


def served_locally(start: Start, worker: str) -> httpx.Client:
    """The SDK's local server in front of a worker."""
    port = free_ports(1)[0]
    start("-m", f"deployment.runpod.{worker}", "--rp_serve_api", "--rp_api_port", str(port))
    client = httpx.Client(base_url=f"http://localhost:{port}", timeout=120)
    deadline = time.monotonic() + STARTED_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            client.get("/openapi.json")
            return client
        time.sleep(0.2)
    raise AssertionError("the local server did not start")


@pytest.fixture(scope="module")
def local_api(start: Start) -> httpx.Client:
    return served_locally(start, "cross_encoder")


def test_the_local_server_runs_a_job_at_once_or_later(local_api: httpx.Client) -> None:
    asked = {"input": {"action": "score_pair", "query": QUESTION, "document": "Khoản 1"}}
    done = local_api.post("/runsync", json=asked).json()
    assert done["status"] == "COMPLETED"
    assert 0.0 < done["output"]["score"] < 1.0
    queued = local_api.post("/run", json=asked).json()
    later = local_api.post(f"/status/{queued['id']}").json()
    assert later["status"] == "COMPLETED"
    assert later["output"]["score"] == pytest.approx(done["output"]["score"], abs=1e-6)


def test_the_local_server_shows_an_error_as_a_failed_job(local_api: httpx.Client) -> None:
    answer = local_api.post("/runsync", json={"input": {"action": "embed", "text": QUESTION}})
    assert answer.status_code == 200
    assert answer.json()["status"] == "FAILED"
    assert json.loads(answer.json()["error"])["code"] == "invalid_input"


def test_a_gateway_in_front_of_workers_answers_and_counts_what_they_tell(
    start: Start, local_api: httpx.Client, bundle: Bundle, tmp_path: Path
) -> None:
    urls = {
        "RETRIEVER_BI_ENCODER_URL": f"runpod+{served_locally(start, 'bi_encoder').base_url}",
        "RETRIEVER_CROSS_ENCODER_URL": f"runpod+{local_api.base_url}",
        "RETRIEVER_RERANK_BUDGET_SECONDS": "30",
    }
    with service("gateway", bundle.folder, tmp_path / "log", urls) as gateway:
        before = httpx.get(f"{gateway.url}/metrics").text
        found = httpx.post(f"{gateway.url}/search", json={"question": QUESTION}, timeout=60).json()
        after = httpx.get(f"{gateway.url}/metrics").text
    assert (found["reranked"], found["fallback_reason"]) == (True, None)
    for endpoint, action in (("bi-encoder", "search"), ("cross-encoder", "rerank")):
        asked = {"endpoint": endpoint, "action": action, "status": "200"}
        assert (
            scraped(after, "endpoint_requests_total", **asked)
            == scraped(before, "endpoint_requests_total", **asked) + 1
        )
        assert scraped(after, "endpoint_tokens_total", endpoint=endpoint) > 0
        assert scraped(after, "endpoint_worker_seconds_total", endpoint=endpoint, phase="request") > 0
    assert scraped(after, "endpoint_cold_starts_total", endpoint="bi-encoder") == 1
    assert scraped(after, "endpoint_worker_seconds_total", endpoint="bi-encoder", phase="cold_start") > 0
