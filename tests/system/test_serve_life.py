"""`make serve` from its first second to its hard end: keys, readiness, leftovers, and the law read beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from deployment.bundle.format import Bundle
from retrieval.processes.servers import LocalServer
from tests.helpers.serve_process import ROOT, Serve, eventually, gone, project_with_a_kept_retriever
from tests.helpers.service_processes import service
from tests.helpers.tiny_bundle import QUESTION

KEY, OTHER = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
EMBED = {"input": "nghỉ phép", "model": "m"}
MODULES = ("deployment.gateway", "deployment.bi_encoder_service", "deployment.cross_encoder_service")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one kept retriever, whose law was not read yet."""
    return project_with_a_kept_retriever(tmp_path)


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[..., Serve]]:
    started: list[Serve] = []

    def start(*options: str, **variables: str) -> Serve:
        started.append(Serve(folder, "--model", "1", *options, **variables))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.stop()


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def status(url: str, body: object, key: str = "") -> int:
    return httpx.post(url, json=body, headers=bearer(key) if key else {}, timeout=60).status_code


def ready(url: str) -> dict:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/ready", timeout=30).json()
    return {}


def test_the_users_keys_open_every_printed_address_and_a_killed_supervisor_leaves_nothing_listening(
    serve: Callable[..., Serve], folder: Path
) -> None:
    (folder / "keys.txt").write_text(f"{OTHER}  # of a colleague\n")
    running = serve(
        RETRIEVER_API_KEYS=KEY,
        RETRIEVER_API_KEYS_FILE="keys.txt",
        RETRIEVER_HOST="0.0.0.0",
        RETRIEVER_BI_ENCODER_URL="http://elsewhere",
    )
    running.wait_until_ready()
    documents = {"query": QUESTION, "documents": ["một", "hai"], "model": "m"}
    asked = [(0, "/search", {"question": QUESTION}), (1, "/v1/embeddings", EMBED), (2, "/v1/rerank", documents)]
    for number, path, body in asked:
        url = running.url(number, path)
        assert running.url(number) in running.said
        assert [status(url, body, key) for key in (KEY, OTHER)] == [200, 200]
        assert status(url, body) == 401
    page = httpx.get(running.url(), timeout=60)
    assert (page.status_code, "key-form" in page.text) == (200, True)
    assert "RETRIEVER_API_KEYS and RETRIEVER_API_KEYS_FILE" in running.said
    for name in ("RETRIEVER_HOST", "RETRIEVER_BI_ENCODER_URL"):
        assert f"{name} is not used: " in running.said
    assert KEY not in running.said
    found = httpx.post(running.url(0, "/search"), json={"question": QUESTION}, headers=bearer(KEY), timeout=60).json()
    assert found["reranked"] is True  # the gateway has a key of its own

    children = [running.child(module) for module in MODULES]
    running.process.kill()
    running.wait()
    eventually(lambda: gone(*children))
    for number in range(3):
        with pytest.raises(httpx.ConnectError):
            httpx.get(running.url(number, "/health"))


def test_without_keys_the_printed_addresses_are_open_and_the_law_is_read_beside_serving(
    serve: Callable[..., Serve], folder: Path
) -> None:
    running = serve("--precompute-states")
    running.wait_until_ready()
    assert "keys           none" in running.said
    assert status(running.url(1, "/v1/embeddings"), EMBED) == 200
    assert status(running.url(0, "/search"), {"question": QUESTION}) == 200
    eventually(lambda: "the law is read" in running.said)
    for number in (0, 2):
        eventually(lambda number=number: ready(running.url(number))["passage_states"]["status"] == "known")
    assert "0 of 24 passages" in running.said
    assert len(list((folder / ".cache/hidden-states").glob("*.npy"))) == 1
    said = [line for line in running.said.splitlines() if line.startswith(("making", "checking", "linking"))]
    assert len(said) == 4
    assert "\r" not in running.said  # no bar where nobody watches
    assert running.stop() == 0


def test_a_leftover_is_named_with_the_step_that_ends_it(
    serve: Callable[..., Serve], folder: Path, bundle: Bundle
) -> None:
    with service("bi_encoder_service", bundle.folder, folder / "log") as left:
        running = serve("--bi-encoder-port", str(left.port))
        assert running.wait() == 1
    assert f"error: port {left.port} is taken by a bi encoder service" in running.said
    assert f"`kill {left.process.pid}`" in running.said
    assert "--bi-encoder-port" in running.said


def test_a_gateway_is_not_ready_before_its_bi_encoder_is_and_not_after(tmp_path: Path, bundle: Bundle) -> None:
    log = tmp_path / "bi-encoder"
    with service("cross_encoder_service", bundle.folder, tmp_path / "cross-encoder") as reranker:
        with service("bi_encoder_service", bundle.folder, log) as first:
            port = first.port
        urls = {
            "RETRIEVER_BI_ENCODER_URL": f"http://127.0.0.1:{port}",
            "RETRIEVER_CROSS_ENCODER_URL": reranker.url,
        }
        with service("gateway", bundle.folder, tmp_path / "gateway", urls, ready=False) as gateway:
            eventually(lambda: f"bi-encoder service at {urls['RETRIEVER_BI_ENCODER_URL']}" in text_of(gateway))
            assert httpx.get(f"{gateway.url}/ready").status_code == 503
            assert httpx.get(f"{gateway.url}/health").status_code == 200
            with service("bi_encoder_service", bundle.folder, log, {"RETRIEVER_PORT": str(port)}, ready=False):
                eventually(lambda: httpx.get(f"{gateway.url}/ready", timeout=30).status_code == 200)
                answer = httpx.post(f"{gateway.url}/search", json={"question": QUESTION}, timeout=60)
                assert answer.status_code == 200
            eventually(lambda: httpx.get(f"{gateway.url}/ready", timeout=30).status_code == 503)


def text_of(gateway: LocalServer) -> str:
    with suppress(httpx.TransportError):
        return httpx.get(f"{gateway.url}/ready", timeout=30).text
    return ""


def test_law_that_the_command_reads_is_found_by_a_running_service_with_the_same_scores(
    tmp_path: Path, bundle: Bundle
) -> None:
    folder = tmp_path / "states"
    variables = {"RETRIEVER_STATES": str(folder), "RETRIEVER_PRECISION": "float32"}
    log = tmp_path / "log"
    documents = [{"text": passage.text} for passage in bundle.corpus().passages]
    body = {"action": "rerank", "query": QUESTION, "documents": documents}
    with service("cross_encoder_service", bundle.folder, log, variables) as server:

        def scores() -> dict[int, float]:
            found = httpx.post(f"{server.url}/infer", json=body, timeout=60).json()["results"]
            return {one["index"]: one["score"] for one in found}

        eventually(lambda: ready(server.url)["passage_states"]["status"] == "missing")
        make = ready(server.url)["passage_states"]["make"]
        assert make in log.read_text()
        before = scores()
        program, *arguments = make.split()
        assert program == "python"
        done = subprocess.run(
            [sys.executable, *arguments], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            cwd=tmp_path, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        eventually(
            lambda: ready(server.url)["passage_states"] == {"status": "known", "known": 24, "of": 24, "make": ""}
        )
        assert scores() == pytest.approx(before, abs=2e-3)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a process that lives on without its parent")
def test_serving_that_make_started_ends_when_make_is_killed(folder: Path) -> None:
    made = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'deployment.serve', *sys.argv[1:]])"
    with (folder / "said").open("w") as said:
        make = subprocess.Popen(
            [sys.executable, "-c", made, "--tied", "--model", "1", "--in-process", "--port", "0"],
            cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=said, stderr=said, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        eventually(lambda: "Ctrl-C" in (folder / "said").read_text() or make.poll() is not None)
        processes = psutil.Process(make.pid).children(recursive=True)
        assert len(processes) == 2
        make.send_signal(signal.SIGKILL)
        make.wait()
    eventually(lambda: gone(*processes))
    assert (folder / "said").read_text().endswith("stopped\n")


def test_the_latency_benchmark_says_which_case_it_measured_in_one_last_line_of_json(
    tmp_path: Path, bundle: Bundle
) -> None:
    command = [sys.executable, "-m", "benchmarks.search_latency", "--bundle", str(bundle.folder), "--in-process"]
    environment = {**os.environ, "RETRIEVER_STATES": str(tmp_path), "RETRIEVER_API_KEYS": KEY}
    done = subprocess.run(
        [*command, "--questions", "2", "--depth", "3"], cwd=ROOT, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert "law read beforehand: missing, 0 of 24 passages" in lines
    assert json.loads(last)["passage_states"] == "missing"
    assert json.loads(last)["search_reranked"]["p50_ms"] > 0
