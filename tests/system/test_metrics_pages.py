"""The /metrics pages of real services: sound to promtool and OpenMetrics, and no longer whatever clients send."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from deployment.bundle.format import Bundle
from monitoring.tools import PROMTOOL, find_tool, tool
from retrieval.processes.servers import LocalServer
from tests.helpers.metric_values import scraped
from tests.helpers.service_processes import service
from tests.helpers.tiny_bundle import QUESTION

MOST_SERIES = 3000
OPENMETRICS = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}


@pytest.fixture(scope="module")
def gateway(bundle: Bundle, bi_encoder: LocalServer, cross_encoder: LocalServer, logs: Path) -> Iterator[LocalServer]:
    urls = {"RETRIEVER_BI_ENCODER_URL": bi_encoder.url, "RETRIEVER_CROSS_ENCODER_URL": cross_encoder.url}
    with service("gateway", bundle.folder, logs / "gateway-metrics", urls) as server:
        yield server


@pytest.fixture
def servers(gateway: LocalServer, bi_encoder: LocalServer, cross_encoder: LocalServer) -> list[LocalServer]:
    """All three, after a question."""
    httpx.post(f"{gateway.url}/search", json={"question": QUESTION}, timeout=60).raise_for_status()
    return [gateway, bi_encoder, cross_encoder]


def series(server: LocalServer) -> set[str]:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


@pytest.mark.skipif(find_tool(PROMTOOL) is None, reason="promtool is not here; run make monitoring-tools")
def test_promtool_finds_nothing_to_say_about_any_service(servers: list[LocalServer]) -> None:
    for server in servers:
        page = httpx.get(f"{server.url}/metrics").content
        done = subprocess.run([tool(PROMTOOL), "check", "metrics"], input=page, capture_output=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, b""), server.name


def test_prometheus_is_answered_in_openmetrics_and_a_person_in_text(servers: list[LocalServer]) -> None:
    for server in servers:
        rich, plain = httpx.get(f"{server.url}/metrics", headers=OPENMETRICS), httpx.get(f"{server.url}/metrics")
        assert rich.headers["content-type"].startswith("application/openmetrics-text")
        assert plain.headers["content-type"].startswith("text/plain")
        names = {family.name for family in openmetrics_families(rich.text)}
        assert names == {family.name for family in text_string_to_metric_families(plain.text)}


def test_a_service_tells_its_build_and_the_gateway_and_bi_encoder_their_index(
    servers: list[LocalServer], bundle: Bundle
) -> None:
    for server in servers:
        text, facts = httpx.get(f"{server.url}/metrics").text, bundle.facts
        told = {"index_version": facts.index, "data_version": facts.data, "commit": facts.code, "track": "stable"}
        assert scraped(text, "endpoint_build_info", **told) == 1
    for server in servers[:2]:
        text = httpx.get(f"{server.url}/metrics").text
        assert scraped(text, "endpoint_index_articles") == bundle.passages
        assert scraped(text, "endpoint_index_created_timestamp_seconds") > 1_700_000_000


def test_whatever_clients_send_makes_no_further_series(servers: list[LocalServer]) -> None:
    before = [series(server) for server in servers]
    for server in servers:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            for number in range(40):
                client.get(f"/{number}")
                client.post("/infer", json={"action": f"a{number}\n" * 1000, "text": "x"})
                client.request(("PUT", "DELETE", "PATCH")[number % 3], "/search")
                client.post("/search", json={"question": f"{number}"}, headers={"x-request-id": f"id{number}" * 500})
                client.post("/infer", content=b"{", headers={"content-type": f"application/x{number}+json"})
                client.get(f"/articles/{number}")
    for server, known in zip(servers, before, strict=True):
        after = series(server)
        assert after == known, server.name
        assert len(after) < MOST_SERIES


def test_a_canary_says_so_in_every_sample(bundle: Bundle, tmp_path: Path) -> None:
    with service("bi_encoder_service", bundle.folder, tmp_path / "log", {"RETRIEVER_TRACK": "canary"}) as server:
        assert all('track="canary"' in one for one in series(server))


def test_scrapers_that_never_read_their_answers_keep_no_question_waiting(servers: list[LocalServer]) -> None:
    gateway = servers[0]
    with ExitStack() as opened:
        for _ in range(20):
            hanging = opened.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
            hanging.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            hanging.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n" * 20)
        for _ in range(20):
            answer = httpx.post(f"{gateway.url}/search", json={"question": QUESTION}, timeout=20)
            assert answer.status_code == httpx.codes.OK
