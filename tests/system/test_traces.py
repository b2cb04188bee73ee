"""One question through gateway and services as one trace, and collectors that are down or hang: no request waits."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deployment.bundle.format import Bundle
from retrieval.processes.servers import LocalServer, free_port
from tests.helpers.monitoring_stack import until
from tests.helpers.otlp_receiver import OtlpReceiver, ReceivedSpan, otlp_receiver
from tests.helpers.service_processes import service
from tests.helpers.tiny_bundle import QUESTION

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
OPENMETRICS = {"accept": "application/openmetrics-text;version=1.0.0"}


@contextmanager
def traced(bundle: Bundle, folder: Path, collector: str) -> Iterator[dict[str, LocalServer]]:
    """All three services, sending spans to a collector."""
    settings = {
        "RETRIEVER_OTLP_ENDPOINT": collector,
        "RETRIEVER_THREADS": "1",
        "RETRIEVER_LOG_FORMAT": "json",
        "RETRIEVER_RERANK_BUDGET_SECONDS": "20",
    }
    with (
        service("bi_encoder_service", bundle.folder, folder / "bi-encoder", settings) as first,
        service("cross_encoder_service", bundle.folder, folder / "cross-encoder", settings) as second,
    ):
        urls = {"RETRIEVER_BI_ENCODER_URL": first.url, "RETRIEVER_CROSS_ENCODER_URL": second.url}
        with service("gateway", bundle.folder, folder / "gateway", settings | urls) as gateway:
            yield {"gateway": gateway, "bi-encoder": first, "cross-encoder": second}


@pytest.fixture(scope="module")
def collector() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def servers(
    bundle: Bundle, collector: OtlpReceiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, LocalServer]]:
    with traced(bundle, tmp_path_factory.mktemp("traced"), collector.url) as running:
        yield running


def ask(gateway: LocalServer, **headers: str) -> httpx.Response:
    answer = httpx.post(f"{gateway.url}/search", json={"question": QUESTION}, headers=headers, timeout=60)
    assert answer.status_code == httpx.codes.OK
    return answer


def spans_of(collector: OtlpReceiver, trace: str, services: int) -> list[ReceivedSpan]:
    """A trace's spans, when so many services have told theirs."""
    until(
        lambda: len({one.service for one in collector.spans if one.trace == trace and "/" in one.name}) == services,
        30,
        "the trace is there",
    )
    return [one for one in collector.spans if one.trace == trace]


def test_a_question_is_one_trace_through_three_services(
    servers: dict[str, LocalServer], collector: OtlpReceiver
) -> None:
    ask(servers["gateway"], traceparent=f"00-{TRACE}-{PARENT}-01")
    spans = spans_of(collector, TRACE, 3)
    by_id = {one.id: one for one in spans}
    parents = {(one.service, one.name): by_id.get(one.parent) for one in spans}
    assert [one.parent for one in spans if one.name == "POST /search"] == [PARENT]
    for name, service_name in (("first stage", "bi-encoder"), ("rerank", "cross-encoder")):
        asked, answered = parents["gateway", name], parents[service_name, "POST /infer"]
        assert asked is not None and asked.name == "POST /search"
        assert answered is not None and (answered.service, answered.name) == ("gateway", name)
        for part in ("queue wait", "forward"):
            whole = parents[service_name, part]
            assert whole is not None and whole.name == "POST /infer"
    assert ("bi-encoder", "search") in parents
    assert not any(QUESTION in json.dumps(one.attributes, ensure_ascii=False) for one in spans)


def test_the_latency_histogram_has_the_trace_as_its_exemplar(servers: dict[str, LocalServer]) -> None:
    trace = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    ask(servers["gateway"], traceparent=f"00-{trace}-{PARENT}-01")
    for server in servers.values():
        page = httpx.get(f"{server.url}/metrics", headers=OPENMETRICS).text
        lines = [line for line in page.splitlines() if trace in line]
        assert lines, server.name
        assert all(line.startswith("endpoint_request_duration_seconds_bucket") for line in lines)


def test_a_trace_that_its_caller_does_not_keep_is_not_kept_here(
    servers: dict[str, LocalServer], collector: OtlpReceiver
) -> None:
    left, kept = "b" * 32, "c" * 32
    ask(servers["gateway"], traceparent=f"00-{left}-{PARENT}-00")
    ask(servers["gateway"], traceparent=f"00-{kept}-{PARENT}-01")
    spans_of(collector, kept, 3)
    assert not [one for one in collector.spans if one.trace == left]


@pytest.mark.parametrize("header", ["garbage", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 10_000])
def test_a_traceparent_that_is_none_begins_a_trace_of_its_own(
    servers: dict[str, LocalServer], collector: OtlpReceiver, header: str
) -> None:
    before = {one.trace for one in collector.spans}
    ask(servers["gateway"], traceparent=header)
    until(lambda: {one.trace for one in collector.spans} - before, 30, "a trace begins")


def test_one_request_can_be_followed_by_its_id_through_three_logs_and_none_holds_the_question(
    servers: dict[str, LocalServer],
) -> None:
    answer = ask(servers["gateway"], **{"x-request-id": "follow-me-1"})
    assert answer.headers["x-request-id"] == "follow-me-1"
    for name, server in servers.items():
        until(lambda server=server: access_lines(server, "follow-me-1"), 10, f"{name} writes the request's line")
        (line,) = access_lines(server, "follow-me-1")
        assert (line["service"], line["track"], line["status"]) == (name, "stable", 200)
        assert line["route"] in {"/search", "/infer"}
        assert len(line["trace_id"]) == 32
        assert QUESTION not in server.log.read_text(encoding="utf-8")


def access_lines(server: LocalServer, request_id: str) -> list[dict[str, object]]:
    """The log's lines about one request."""
    lines = (json.loads(line) for line in server.log.read_text(encoding="utf-8").splitlines())
    return [one for one in lines if one.get("request_id") == request_id and one["logger"] == "access"]


@pytest.mark.parametrize("state", ["down", "hangs"])
def test_a_collector_that_is_away_keeps_no_request_waiting_and_no_service_from_ending(
    bundle: Bundle, tmp_path: Path, state: str
) -> None:
    with otlp_receiver() as receiver:
        receiver.hangs.clear()
        address = receiver.url if state == "hangs" else f"http://127.0.0.1:{free_port()}"
        settings = {"RETRIEVER_OTLP_ENDPOINT": address, "RETRIEVER_LOG_FORMAT": "json"}
        with service("bi_encoder_service", bundle.folder, tmp_path / "log", settings) as server:
            with httpx.Client(base_url=server.url, timeout=10) as client:
                for _ in range(1200):  # more spans than may wait
                    answer = client.post("/infer", json={"action": "embed", "text": QUESTION})
                    assert answer.status_code == httpx.codes.OK
            until(lambda: "does not take spans" in server.log.read_text(), 30, "drops are told")
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(timeout=20) == 0


def test_without_a_collector_nothing_of_opentelemetry_is_imported(bundle: Bundle, tmp_path: Path) -> None:
    variables = {"PYTHONPROFILEIMPORTTIME": "1"}
    with service("bi_encoder_service", bundle.folder, tmp_path / "log", variables) as server:
        httpx.post(f"{server.url}/infer", json={"action": "embed", "text": QUESTION}, timeout=60).raise_for_status()
    imported = server.log.read_text(encoding="utf-8")
    assert "monitoring.traces" in imported
    assert "opentelemetry" not in imported
