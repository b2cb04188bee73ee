"""One question is one trace through three processes; a collector that is down, hangs or refuses costs spans alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deployment.bundle.format import Bundle
from retrieval.processes.servers import LocalServer, free_port
from tests.helpers.otlp_receiver import OtlpReceiver, ReceivedSpan, receiving
from tests.helpers.service_processes import service
from tests.helpers.tiny_bundle import QUESTION

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Traced:
    """Three services that send their spans to a collector, and their logs."""

    gateway: LocalServer
    bi_encoder: LocalServer
    cross_encoder: LocalServer
    folder: Path

    def search(self, **headers: str) -> httpx.Response:
        body = {"question": QUESTION, "top_k": 3}
        return httpx.post(f"{self.gateway.url}/search", json=body, headers=headers, timeout=60)

    def lines(self, name: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


@contextmanager
def traced(bundle: Bundle, folder: Path, collector: str, **more: str) -> Iterator[Traced]:
    settings = {"RETRIEVER_OTLP_ENDPOINT": collector, "RETRIEVER_RERANK_BUDGET_SECONDS": "20", **more}
    with ExitStack() as opened:

        def start(module: str, **own: str) -> LocalServer:
            return opened.enter_context(service(module, bundle.folder, folder / module, settings | own))

        first, second = start("bi_encoder_service"), start("cross_encoder_service")
        urls = {"RETRIEVER_BI_ENCODER_URL": first.url, "RETRIEVER_CROSS_ENCODER_URL": second.url}
        yield Traced(start("gateway", **urls), first, second, folder)


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.05)


def trace_of(collector: OtlpReceiver, trace: str, spans: int) -> list[ReceivedSpan]:
    until(lambda: len([one for one in collector.spans if one.trace == trace]) >= spans)
    return [one for one in collector.spans if one.trace == trace]


def test_a_question_is_one_trace_through_gateway_and_both_services(bundle: Bundle, tmp_path: Path) -> None:
    with receiving() as collector, traced(bundle, tmp_path, collector.url) as services:
        answer = services.search(traceparent=f"00-{TRACE}-{PARENT}-01", **{"x-request-id": "asked-1"})
        assert answer.json()["reranked"]
        spans = trace_of(collector, TRACE, 8)
        metrics = httpx.get(f"{services.gateway.url}/metrics", headers={"accept": "application/openmetrics-text"}).text
        logged = [services.lines(name)[-1] for name in ("gateway", "bi_encoder_service", "cross_encoder_service")]
    by_id = {one.id: one for one in spans}

    def path(span: ReceivedSpan) -> tuple[str, ...]:
        above = by_id.get(span.parent)
        return (*(path(above) if above else ()), f"{span.service}: {span.name}")

    root = "gateway: POST /search"
    first, rerank = (root, "gateway: first stage"), (root, "gateway: rerank")
    asked, scored = (*first, "bi-encoder: POST /infer"), (*rerank, "cross-encoder: POST /infer")
    assert sorted(map(path, spans)) == sorted(
        [
            (root,), first, rerank, asked, scored,
            *((*asked, f"bi-encoder: {part}") for part in ("queue wait", "forward", "search")),
            *((*scored, f"cross-encoder: {part}") for part in ("queue wait", "forward")),
        ]
    )  # fmt: skip
    (top,) = [one for one in spans if one.parent == PARENT]
    assert (top.name, top.kind, top.failed) == ("POST /search", 2, False)
    assert top.attributes["http.route"] == "/search"
    assert top.attributes["http.response.status_code"] == "200"
    assert all(top.start <= one.start <= one.end <= top.end for one in spans if one.service == "gateway")
    assert QUESTION not in repr(spans)
    assert f'trace_id="{TRACE}"' in metrics  # exemplar of the latency's bucket
    assert [(line["trace_id"], line["request_id"]) for line in logged] == [(TRACE, "asked-1")] * 3


def test_a_trace_that_is_not_kept_elsewhere_or_by_ratio_is_not_kept_here(bundle: Bundle, tmp_path: Path) -> None:
    with receiving() as collector, traced(bundle, tmp_path, collector.url, RETRIEVER_TRACE_RATIO="0") as services:
        other = TRACE.replace("0af", "1af")
        assert services.search().status_code == 200
        assert services.search(traceparent=f"00-{other}-{PARENT}-00").status_code == 200
        assert services.search(traceparent=f"00-{TRACE}-{PARENT}-01").status_code == 200
        trace_of(collector, TRACE, 8)
        assert {one.trace for one in collector.spans} == {TRACE}


@pytest.mark.parametrize("given", ["", "00-zz-1-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 5000])
def test_a_trace_header_that_is_none_begins_a_trace_of_its_own(bundle: Bundle, tmp_path: Path, given: str) -> None:
    with (
        receiving() as collector,
        service(
            "bi_encoder_service", bundle.folder, tmp_path / "log", {"RETRIEVER_OTLP_ENDPOINT": collector.url}
        ) as one,
    ):
        body = {"action": "embed", "text": QUESTION}
        answer = httpx.post(
            f"{one.url}/infer", json=body, headers={"traceparent": given, "tracestate": given}, timeout=60
        )
        assert answer.status_code == 200
        until(lambda: any(span.name == "POST /infer" for span in collector.spans))
        (root,) = [span for span in collector.spans if span.name == "POST /infer"]
        assert root.parent == ""
        assert int(root.trace, 16) > 0


@pytest.mark.parametrize("fault", ["down", "hangs", "refuses"])
def test_a_collector_that_fails_is_said_once_and_no_answer_waits_for_it(
    bundle: Bundle, tmp_path: Path, fault: str
) -> None:
    with receiving() as collector:
        collector.status = 503 if fault == "refuses" else 200
        if fault == "hangs":
            collector.open.clear()
        url = f"http://127.0.0.1:{free_port()}" if fault == "down" else collector.url
        with traced(bundle, tmp_path, url) as services:
            answers = [services.search() for _ in range(20)]
            assert [one.status_code for one in answers] == [200] * 20
            assert all(one.json()["reranked"] for one in answers)

            def told() -> list[dict[str, object]]:
                return [line for line in services.lines("gateway") if "does not take spans" in str(line["message"])]

            until(lambda: bool(told()))
            assert services.search().status_code == 200
            assert [line["level"] for line in told()] == ["WARNING"]
            services.gateway.process.terminate()
            assert services.gateway.process.wait(30) == 0
        assert not collector.spans


def test_tracing_that_is_off_imports_nothing_of_it(bundle: Bundle, tmp_path: Path) -> None:
    with service("bi_encoder_service", bundle.folder, tmp_path / "log") as one:
        maps = Path(f"/proc/{one.process.pid}/maps")
        answer = httpx.post(f"{one.url}/infer", json={"action": "embed", "text": QUESTION}, timeout=60)
        assert answer.status_code == 200
        assert "trace_id" not in (tmp_path / "log").read_text()
        if maps.exists():
            assert "google/_upb" not in maps.read_text()  # protobuf's, which the exporter would have loaded
