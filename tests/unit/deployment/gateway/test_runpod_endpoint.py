"""Stages asked through RunPod's job API: the same answers and refusals, and what workers tell is counted once."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from deployment.errors import NotReady, Overloaded, UpstreamFault
from deployment.gateway.app import ACTIONS
from deployment.gateway.circuit_breaker import CircuitBreakerReranker
from deployment.gateway.remote import RemoteFirstStage, RemoteReranker, transport_to
from deployment.gateway.runpod_endpoint import RunPodTransport
from deployment.gateway.stages import Document, RerankFault
from deployment.gateway.worker_measures import MOST_VERSIONS, WorkerMeasures
from deployment.service_metrics import known_values
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.label_values import Build
from monitoring.logs import REQUEST_ID
from monitoring.metrics import MetricFamilies
from tests.helpers.metric_values import scraped
from tests.helpers.tiny_bundle import tiny_corpus

ROOT = "http://runpod/v2/abc"
DOCUMENTS = [Document("1/2020/QH14:1", "Điều 1", "một")]
MEASURES = {
    "worker": "w1",
    "track": "stable",
    "cold_starts": 1,
    "worker_seconds": {"cold_start": 5.0, "idle": 2.0},
    "usd": {"cold_start": 0.5, "idle": 0.2},
    "forwards": [[0.02, 3], [0.04, 5]],
}


def output(version="7", **changes):
    """What a reranking worker answers."""
    return {
        "results": [{"index": 0, "score": 0.5}],
        "model_version": version,
        "index_version": "index-1",
        "tokens": 40,
        "truncated_count": 1,
        "timings_ms": {"queue": 3.0, "infer": 20.0},
        "cost": {"worker_seconds": 0.1, "usd": 0.01},
        "measures": MEASURES,
    } | changes


class RunPod:
    """RunPod's API for one endpoint: jobs that pass through the states given and end as the last says."""

    def __init__(self, *jobs, health=200):
        self.jobs, self.health, self.asked, self.families = list(jobs), health, [], MetricFamilies()

    def answer(self, request):
        name = request.url.path.removeprefix("/v2/abc/")
        self.asked.append((request.method, name, json.loads(request.content or b"null")))
        if name == "health":
            return httpx.Response(self.health, json={"workers": {"idle": 0}})
        return httpx.Response(200, json={"id": "job-1", **(self.jobs.pop(0) if len(self.jobs) > 1 else self.jobs[0])})

    def transport(self):
        measures = WorkerMeasures("cross-encoder", self.families, "7")
        return RunPodTransport(httpx.MockTransport(self.answer), measures, "index-1")

    def score(self, patience=5.0):
        return asyncio.run(self._scored(patience))

    async def _scored(self, patience):
        stage = RemoteReranker(ROOT, "runpod-key", patience, self.transport())
        try:
            return await stage.score("hỏi", DOCUMENTS, 0.4)
        finally:
            await stage.close()

    def counted(self, name, **labels):
        return scraped(self.families.render()[0].decode(), name, endpoint="cross-encoder", **labels)


def test_a_finished_job_is_the_answer_of_the_service_and_what_its_worker_tells_is_counted():
    runpod = RunPod({"status": "COMPLETED", "output": output()})
    assert runpod.counted("endpoint_cold_starts_total", model_version="7") == 0
    assert runpod.score() == [0.5]
    ((method, name, body),) = runpod.asked
    assert (method, name, body["input"]["action"]) == ("POST", "runsync", "rerank")
    assert runpod.counted("endpoint_requests_total", action="rerank", status="200", model_version="7") == 1
    assert runpod.counted("endpoint_cold_starts_total") == 1
    for phase, seconds, usd in (("cold_start", 5.0, 0.5), ("idle", 2.0, 0.2), ("request", 0.1, 0.01)):
        assert runpod.counted("endpoint_worker_seconds_total", phase=phase) == pytest.approx(seconds)
        assert runpod.counted("endpoint_cost_usd_total", phase=phase) == pytest.approx(usd)
    assert runpod.counted("endpoint_cost_per_1k_requests") == pytest.approx(1000 * 0.71)
    assert runpod.counted("endpoint_batch_size_sum") == 8
    assert runpod.counted("endpoint_inference_duration_seconds_sum") == pytest.approx(0.06)
    assert runpod.counted("endpoint_queue_wait_seconds_sum") == pytest.approx(0.003)
    assert (runpod.counted("endpoint_tokens_total"), runpod.counted("endpoint_truncations_total")) == (40, 1)
    assert runpod.counted("endpoint_score_value_count") == 1


def test_a_job_names_the_request_that_it_is_part_of():
    runpod = RunPod({"status": "COMPLETED", "output": output()})
    token = REQUEST_ID.set("asked-1")
    try:
        runpod.score()
    finally:
        REQUEST_ID.reset(token)
    assert runpod.asked[0][2]["input"]["request_id"] == "asked-1"


def test_a_job_that_waits_for_a_worker_is_asked_for_until_it_has_ended():
    done = {"status": "COMPLETED", "output": output()}
    runpod = RunPod({"status": "IN_QUEUE"}, {"status": "IN_PROGRESS"}, done)
    assert runpod.score() == [0.5]
    assert [name for _, name, _ in runpod.asked] == ["runsync", "status/job-1", "status/job-1"]


def test_a_job_that_nobody_waits_for_any_more_is_cancelled_while_it_waits_for_a_worker():
    runpod = RunPod({"status": "IN_QUEUE"})

    async def ask():
        stage = RemoteReranker(ROOT, "", 0.1, runpod.transport())
        with pytest.raises(RerankFault) as fault:
            await stage.score("hỏi", DOCUMENTS, 0.4)
        await stage.close()
        return fault.value.reason

    assert asyncio.run(ask()) == "slow"
    assert runpod.asked[-1][:2] == ("POST", "cancel/job-1")
    assert runpod.counted("endpoint_errors_total", type="upstream_fault") == 1


def test_what_the_worker_of_a_late_answer_tells_is_counted_and_its_request_stays_a_failed_one():
    runpod = RunPod({"status": "IN_PROGRESS"}, {"status": "IN_PROGRESS"}, {"status": "COMPLETED", "output": output()})

    async def ask():
        stage = RemoteReranker(ROOT, "", 0.1, runpod.transport())
        with pytest.raises(RerankFault):
            await stage.score("hỏi", DOCUMENTS, 0.4)
        await stage.close()

    asyncio.run(ask())
    assert not any(name.startswith("cancel") for _, name, _ in runpod.asked)
    assert runpod.counted("endpoint_cold_starts_total") == 1
    assert runpod.counted("endpoint_worker_seconds_total", phase="cold_start") == 5.0
    assert runpod.counted("endpoint_requests_total", status="200") == 0
    assert runpod.counted("endpoint_requests_total", status="502") == 1


def test_a_refusal_of_runpod_while_a_job_is_asked_for_ends_no_job():
    done = {"status": "COMPLETED", "output": output()}
    runpod = RunPod({"status": "IN_PROGRESS"}, {"error": "too many requests", "status": None}, done)
    runpod.jobs[1].pop("status")
    assert runpod.score() == [0.5]


@pytest.mark.parametrize("hangs", ["cancel/job-1", "runsync"])
def test_nobody_waits_for_a_job_to_be_cancelled_and_who_left_is_counted(hangs):
    runpod = RunPod({"status": "IN_QUEUE"})
    hanging, go_on = asyncio.Event(), asyncio.Event()

    async def answer(request):
        if request.url.path.endswith(hangs):
            hanging.set()
            await go_on.wait()
        return runpod.answer(request)

    async def ask():
        transport = RunPodTransport(httpx.MockTransport(answer), WorkerMeasures("cross-encoder", runpod.families, "7"))
        stage = CircuitBreakerReranker(RemoteReranker(ROOT, "", 5.0, transport), 0.1)
        with pytest.raises(RerankFault):
            await stage.score("hỏi", DOCUMENTS)
        await hanging.wait()  # and the answer came before it went on
        go_on.set()
        await stage.close()

    asyncio.run(asyncio.wait_for(ask(), 30))
    assert runpod.asked[-1][:2] == ("POST", "cancel/job-1")
    assert runpod.counted("endpoint_requests_total", status="499") == 1
    assert runpod.counted("endpoint_errors_total") == 0


@pytest.mark.parametrize(
    ("answered", "code"), [(401, "upstream_fault"), (429, "overloaded"), (500, "upstream_fault"), (503, "not_ready")]
)
def test_what_runpod_itself_refuses_is_counted(answered, code):
    families = MetricFamilies()
    refusing = httpx.MockTransport(lambda _: httpx.Response(answered))
    stage = RemoteReranker(ROOT, "", 5.0, RunPodTransport(refusing, WorkerMeasures("cross-encoder", families, "7")))
    with pytest.raises(RerankFault):
        asyncio.run(stage.score("hỏi", DOCUMENTS, 0.4))
    assert scraped(families.render()[0].decode(), "endpoint_errors_total", type=code) == 1


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (json.dumps({"code": "overloaded", "message": "m", "retry_after_seconds": 2}), Overloaded, "429"),
        (json.dumps({"code": "not_ready", "message": "m"}), NotReady, "503"),
        ("worker exited", UpstreamFault, "502"),
        (None, UpstreamFault, "502"),
        ({"code": ["list"]}, UpstreamFault, "502"),
    ],
)
def test_a_failed_job_is_refused_as_the_service_would_and_counted(error, kind, status):
    runpod = RunPod({"status": "FAILED", "error": error})
    stage = RemoteFirstStage(ROOT, "", tiny_corpus(), "index-1", 5.0, runpod.transport())
    with pytest.raises(kind):
        asyncio.run(stage.search("hỏi", 3))
    assert runpod.counted("endpoint_requests_total", status=status) == 1
    assert runpod.counted("endpoint_errors_total") == 1


@pytest.mark.parametrize(("health", "ready"), [(200, "ready"), (401, "not_ready"), (404, "not_ready")])
def test_an_endpoint_is_ready_where_it_is_known_even_without_a_worker(health, ready):
    runpod = RunPod({"status": "COMPLETED", "output": output()}, health=health)
    stage = RemoteReranker(ROOT, "", 5.0, runpod.transport())
    assert asyncio.run(stage.standing()).service.status == ready


@pytest.mark.parametrize(
    "measures",
    [None, "text", {"worker_seconds": {"idle": -1}}, {"worker_seconds": {"idle": 1e300}}, {"track": "x" * 10_000_000},
     {"forwards": [[1, 1]] * 1000}, {"cold_starts": 10**9}],
)  # fmt: skip
def test_measures_that_are_not_well_formed_are_not_counted_and_the_answer_stands(measures):
    runpod = RunPod({"status": "COMPLETED", "output": output(measures=measures)})
    assert runpod.score() == [0.5]
    assert runpod.counted("endpoint_requests_total", status="200") == 1  # or failures alone would be counted
    assert runpod.counted("endpoint_cold_starts_total") == 0
    assert runpod.counted("endpoint_worker_seconds_total") == 0


def test_versions_that_workers_tell_are_a_bounded_set():
    runpod = RunPod(*({"status": "COMPLETED", "output": output(f"{number}\n" * 1000)} for number in range(30)))
    measures = runpod.transport()
    stage = RemoteReranker(ROOT, "", 5.0, measures)

    async def ask():
        for _ in range(30):
            await stage.score("hỏi", DOCUMENTS, 0.4)

    asyncio.run(ask())
    text = runpod.families.render()[0].decode()
    assert runpod.counted("endpoint_requests_total") == 30
    versions = {line.partition('model_version="')[2].partition('"')[0] for line in text.splitlines() if line[0] != "#"}
    assert len(versions) <= MOST_VERSIONS + 2
    assert max(map(len, versions)) <= 2 * 64


def test_a_gateway_of_two_endpoints_has_less_than_3000_series_whatever_workers_tell():
    families = MetricFamilies()
    EndpointMetrics("gateway", known_values(ACTIONS), "stable", families).serves(Build(model_version="7"))
    for endpoint in ("bi-encoder", "cross-encoder"):
        measures = WorkerMeasures(endpoint, families, "7")
        for number in range(20):
            for track in ("stable", "canary"):
                measures.count("search", 0.1, output(f"{number}", measures=MEASURES | {"track": track}, dimension=8))
    lines = families.render()[0].decode().splitlines()
    assert len([line for line in lines if line[0] != "#"]) < 3000


def test_the_index_of_an_endpoint_is_the_one_that_answers_tell():
    families = MetricFamilies()
    measures = WorkerMeasures("bi-encoder", families, "7", index="index-1")
    assert 'index_version="index-1"' in families.render()[0].decode()
    measures.count("search", 0.1, output(index_version="index-2"))
    text = families.render()[0].decode()
    assert 'index_version="index-2"' in text
    assert 'index_version="index-1"' not in text
    assert scraped(text, "endpoint_requests_total") == 1


def test_an_address_without_runpod_is_asked_as_it_is():
    url, transport = transport_to("http://bi:8101", lambda: pytest.fail("nothing is counted for a service"))
    assert (url, type(transport)) == ("http://bi:8101", httpx.AsyncHTTPTransport)
    url, transport = transport_to("runpod+https://x/v2/a", lambda: WorkerMeasures("bi-encoder", MetricFamilies(), "1"))
    assert (url, type(transport)) == ("https://x/v2/a", RunPodTransport)
