"""`make serve` as it is: real processes on a tiny bundle, asked over HTTP, hurt, and stopped."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.helpers.serve_process import Serve, eventually, gone, project_with_a_kept_retriever


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one kept retriever."""
    return project_with_a_kept_retriever(tmp_path_factory.mktemp("project"))


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[..., Serve]]:
    started: list[Serve] = []

    def start(*options: str) -> Serve:
        started.append(Serve(folder, "--model", "1", *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.stop()


def test_three_processes_answer_outlive_a_hung_and_a_killed_reranker_and_stop_with_0(serve, folder) -> None:
    running = serve()
    running.wait_until_ready()
    modules = ("deployment.gateway", "deployment.bi_encoder_service", "deployment.cross_encoder_service")
    children = [running.child(module) for module in modules]
    for port in running.ports:
        assert f"http://127.0.0.1:{port}" in running.said
    page = httpx.get(f"http://127.0.0.1:{running.ports[0]}/", timeout=60)
    assert "<title>Tra cứu luật</title>" in page.text
    assert httpx.post(f"http://127.0.0.1:{running.ports[1]}/infer", json={}, timeout=60).status_code == 422

    whole = running.search()
    assert whole["reranked"] is True
    plain = running.search(rerank=False)
    cids = [hit["cid"] for hit in plain["results"]]

    children[2].send_signal(signal.SIGSTOP)  # hangs: it is there, and does not answer
    hung = running.search()
    assert (hung["reranked"], hung["fallback_reason"]) == (False, "slow")
    assert [hit["cid"] for hit in hung["results"]] == cids

    children[2].kill()
    eventually(lambda: running.search()["fallback_reason"] in {"down", "circuit_open"})
    assert [hit["cid"] for hit in running.search()["results"]] == cids

    eventually(lambda: "the others go on without it" in running.said)
    assert "cross-encoder-service: ended with code -9" in running.said
    assert running.stop() == 0
    assert gone(*children)
    assert running.said.endswith("\nstopped\n")


@pytest.mark.slow
def test_a_bi_encoder_that_dies_ends_all_and_is_named(serve) -> None:
    running = serve()
    running.wait_until_ready()
    gateway, service = running.child("deployment.gateway"), running.child("deployment.bi_encoder_service")
    service.kill()
    assert running.wait() == 1
    assert "error: bi-encoder-service: ended with code -9" in running.said
    assert gone(gateway)


@pytest.mark.slow
def test_in_one_process_the_same_articles_come_and_the_bundle_is_used_again(serve, folder) -> None:
    bundles = folder / "models/bundles"
    running = serve("--in-process")
    running.wait_until_ready()
    made = {path: path.stat().st_ino for path in bundles.iterdir()}
    assert len(made) == 1
    answer = running.search()
    assert answer["reranked"] is True
    assert len(psutil.Process(running.process.pid).children()) == 1
    assert running.stop(signal.SIGINT) == 0
    again = serve("--in-process")
    again.wait_until_ready()
    assert "making a bundle" not in again.said
    assert {path: path.stat().st_ino for path in bundles.iterdir()} == made
    assert [hit["cid"] for hit in again.search()["results"]] == [hit["cid"] for hit in answer["results"]]
    assert again.stop() == 0


def test_a_taken_port_is_named_with_the_option_that_changes_it(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = Serve(folder, "--port", str(port))
        assert running.wait() == 1
    assert running.said == f"error: port {port} is taken; stop what listens there, or give another with --port\n"


def test_without_a_trained_model_it_says_so_and_offers_the_pretrained_encoder(tmp_path: Path) -> None:
    running = Serve(tmp_path)
    assert running.wait() == 1
    assert re.search(r"no trained retriever here; .*pretrained", running.said)
