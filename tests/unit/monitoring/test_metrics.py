"""The metrics: exactly the names that were asked for, bounded labels, and what Prometheus's own checker says."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from collections.abc import Callable

import pytest
from prometheus_client import Metric
from prometheus_client import parser as text_format
from prometheus_client.openmetrics import parser as openmetrics

from monitoring.cost import Price
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.label_values import MOST_VERSIONS, OTHER, Build, KnownValues
from monitoring.metrics import MetricFamilies
from monitoring.tools import PROMTOOL, find_tool, tool
from monitoring.windows import WINDOW_SECONDS, Window
from tests.helpers.metric_values import scraped, value_of

NAMES = {
    "endpoint_requests", "endpoint_cold_starts", "endpoint_errors", "endpoint_request_duration_seconds",
    "endpoint_inference_duration_seconds", "endpoint_batch_size", "endpoint_embedding_dimension",
    "endpoint_score_value", "endpoint_score_min", "endpoint_score_max", "endpoint_cost_per_request",
    "endpoint_cost_per_1k_requests", "endpoint_queue_depth", "endpoint_queue_wait_seconds", "endpoint_tokens",
    "endpoint_truncations", "endpoint_rejections", "endpoint_fallbacks", "endpoint_cost_usd",
    "endpoint_worker_seconds", "endpoint_build_info", "endpoint_index_articles",
    "endpoint_index_created_timestamp_seconds",
}  # fmt: skip
KNOWN = KnownValues(
    actions=("rerank",),
    statuses=("200", "500"),
    errors=("invalid_input",),
    rejections=("overloaded",),
    fallbacks=("slow",),
)
BUILD = Build(
    model_version="4", retriever="3", index="abc", data="fed", code="0123", articles=2703, index_created=1_764_000_000.0
)
OURS = Price("own", 0.01, "")


def metrics_at(clock: Callable[[], float] = time.monotonic) -> EndpointMetrics:
    return EndpointMetrics("cross-encoder", KNOWN, clock=clock)


@pytest.fixture
def used() -> EndpointMetrics:
    metrics = metrics_at()
    metrics.serves(BUILD)
    metrics.answered("rerank", 200, 0.02)
    metrics.answered("x" * 1000, 422, 0.001)
    metrics.scored([0.2, 0.9, 0.4])
    metrics.failed("invalid_input")
    metrics.rejected("overloaded")
    metrics.computed(0.01, rows=3, tokens=30)
    metrics.waited(0.01)
    metrics.waiting(2)
    metrics.truncated(1)
    metrics.embeds(384)
    metrics.started_cold()
    metrics.spent(0.5, OURS.usd(0.5))
    metrics.fell_back("slow")
    metrics.pass_time({"cold_start": 2.0, "request": 0.5, "idle": 7.5}, OURS)
    return metrics


def families_of(metrics: EndpointMetrics, accept: str = "") -> list[Metric]:
    body, content_type = metrics.families.render(accept)
    parser = openmetrics if "openmetrics" in content_type else text_format
    return list(parser.text_string_to_metric_families(body.decode()))


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0; charset=utf-8"])
def test_the_names_are_those_that_were_agreed_and_no_others(used, accept):
    families = families_of(used, accept)
    assert {family.name for family in families} == NAMES
    assert all(family.documentation for family in families)


def test_every_sample_says_its_endpoint_track_and_model_version(used):
    for family in families_of(used):
        for sample in family.samples:
            assert sample.labels["endpoint"] == "cross-encoder"
            assert sample.labels["track"] == "stable"
            assert sample.labels["model_version"] in {"loading", "4"}


def test_an_action_that_is_not_known_counts_as_other(used):
    assert value_of(used, "endpoint_requests_total", action="other", status="422") == 1
    assert "xxx" not in used.families.render()[0].decode()


def test_the_first_error_is_an_increase_for_its_series_was_there_with_0_before():
    metrics = metrics_at()
    for version in ("loading", "4"):
        assert value_of(metrics, "endpoint_errors_total", type="invalid_input", model_version=version) in {0, None}
        metrics.serves(BUILD)
    for name, labels in {
        "endpoint_errors_total": {"type": "invalid_input"},
        "endpoint_requests_total": {"action": "rerank", "status": "500"},
        "endpoint_rejections_total": {"reason": "overloaded"},
        "endpoint_fallbacks_total": {"reason": "slow"},
        "endpoint_cold_starts_total": {},
        "endpoint_cost_usd_total": {"phase": "idle"},
    }.items():
        assert value_of(metrics, name, **labels) == 0
        assert value_of(metrics, name, **labels, model_version="loading") == 0


def test_a_build_is_told_with_its_versions_and_the_one_before_goes(used):
    def builds() -> list[dict[str, str]]:
        return [
            one.labels for family in families_of(used) if family.name == "endpoint_build_info" for one in family.samples
        ]

    told = {"retriever_version": "3", "index_version": "abc", "data_version": "fed", "commit": "0123"}
    assert builds() == [{"endpoint": "cross-encoder", "track": "stable", "model_version": "4", **told}]
    assert value_of(used, "endpoint_index_articles") == 2703
    used.serves(Build(model_version="5", retriever="4"))
    assert [one["model_version"] for one in builds()] == ["5"]
    assert value_of(used, "endpoint_index_articles", model_version="4") is None
    assert value_of(used, "endpoint_embedding_dimension", model_version="4") is None
    assert value_of(used, "endpoint_requests_total", action="rerank", status="200", model_version="4") == 1


def test_versions_beyond_the_bound_share_one_value_and_long_ones_are_cut():
    metrics = metrics_at()
    for number in range(40):
        metrics.serves(Build(model_version=f"{number}" + "\n9" * 5_000_000 if number == 1 else str(number)))
    seen = {sample.labels["model_version"] for family in families_of(metrics) for sample in family.samples}
    assert len(seen) == MOST_VERSIONS + 2  # "loading" and "other" besides
    assert OTHER in seen
    assert max(map(len, seen)) == 64


def test_no_scrape_sees_half_of_a_model_change():
    metrics, ended = metrics_at(), threading.Event()

    def change() -> None:
        for number in itertools.count():
            metrics.serves(Build(model_version=str(number % 3), articles=number % 3))
            metrics.embeds(number % 3)
            if ended.is_set():
                return

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(50):
            families = {family.name: family.samples for family in families_of(metrics)}
            builds = [one.labels["model_version"] for one in families["endpoint_build_info"]]
            articles = [(one.labels["model_version"], one.value) for one in families["endpoint_index_articles"]]
            assert len(builds) <= 1
            assert articles == [(version, float(version)) for version in builds]
    finally:
        ended.set()
        changing.join()


def test_a_trace_is_the_exemplar_of_its_bucket_where_the_client_takes_openmetrics():
    metrics = metrics_at()
    metrics.answered("rerank", 200, 0.3, trace_id="4bf92f3577b34da6a3ce929d0e0e4736")
    body, _ = metrics.families.render("application/openmetrics-text; version=1.0.0")
    (line,) = [one for one in body.decode().splitlines() if "4bf92f35" in one]
    assert 'le="0.5"' in line
    assert "4bf92f35" not in metrics.families.render()[0].decode()


def test_the_seconds_of_a_machine_are_those_from_start_to_now_whatever_it_did():
    metrics = metrics_at()
    metrics.pass_time({"cold_start": 3.0, "request": 0.0, "idle": 0.0}, OURS)
    metrics.serves(BUILD)
    metrics.spent(2.0, OURS.usd(2.0))
    metrics.pass_time({"cold_start": 4.0, "request": 2.0, "idle": 4.0}, OURS)
    metrics.pass_time({"cold_start": 4.0, "request": 2.0, "idle": 1.0}, OURS)  # a clock that jumped back
    for name, each in (("endpoint_worker_seconds_total", 1.0), ("endpoint_cost_usd_total", 0.01)):
        samples = [one.value for family in families_of(metrics) for one in family.samples if one.name == name]
        assert sum(samples) == pytest.approx(10.0 * each)


def test_scores_and_costs_are_those_of_the_requests(used):
    assert (value_of(used, "endpoint_score_min"), value_of(used, "endpoint_score_max")) == (0.2, 0.9)
    assert value_of(used, "endpoint_score_value_count") == 3
    assert value_of(used, "endpoint_cost_per_1k_requests") == pytest.approx(1000 * 10.0 * 0.01 / 2)


def test_score_and_cost_gauges_tell_of_every_request_of_the_window_and_not_of_the_last_alone():
    now = [1000.0]
    metrics = metrics_at(lambda: now[0])
    for second, (scores, usd) in enumerate([([0.1, 0.5], 3e-6), ([0.9], 1e-6), ([0.4], 2e-6)]):
        now[0] = 1000.0 + 100.0 * second
        metrics.scored(scores)
        metrics.spent(1.0, usd)
    assert (value_of(metrics, "endpoint_score_min"), value_of(metrics, "endpoint_score_max")) == (0.1, 0.9)
    assert value_of(metrics, "endpoint_cost_per_request") == pytest.approx(2e-6)
    now[0] += WINDOW_SECONDS - 150.0  # the first request has left the window
    assert (value_of(metrics, "endpoint_score_min"), value_of(metrics, "endpoint_score_max")) == (0.4, 0.9)
    assert value_of(metrics, "endpoint_cost_per_request") == pytest.approx(1.5e-6)


def test_a_window_without_requests_has_no_sample_while_its_counters_stay():
    now = [0.0]
    metrics = metrics_at(lambda: now[0])
    assert value_of(metrics, "endpoint_cost_per_request") is None
    metrics.scored([0.3])
    metrics.spent(1.0, 4e-6)
    now[0] = 2.0 * WINDOW_SECONDS
    for name in ("endpoint_score_min", "endpoint_score_max", "endpoint_cost_per_request"):
        assert value_of(metrics, name) is None
    assert value_of(metrics, "endpoint_cost_usd_total", phase="request") == pytest.approx(4e-6)


def test_the_window_is_named_in_the_help_of_every_gauge_over_it(used):
    families = {one.name: one.documentation for one in families_of(used)}
    for name in ("endpoint_score_min", "endpoint_score_max", "endpoint_cost_per_request"):
        assert "in the last 300 s" in families[name]


def test_processes_together_cost_what_the_sums_of_their_counters_say():
    ones = [metrics_at() for _ in range(2)]
    costs = [[1e-6], [4e-6] * 3]
    for metrics, usd in zip(ones, costs, strict=True):
        for one in usd:
            metrics.spent(1.0, one)
    total = sum(value_of(metrics, "endpoint_cost_usd_total", phase="request") for metrics in ones)
    assert total / sum(map(len, costs)) == pytest.approx(13e-6 / 4)


def test_many_requests_take_no_more_room_than_few():
    now = [0.0]
    window = Window(lambda: now[0])
    for request in range(10_000):
        now[0] = request * 0.2
        window.add(1.0)
    assert len(window._slots) <= WINDOW_SECONDS / 10 + 1
    assert window.all().count <= (WINDOW_SECONDS + 10) / 0.2


@pytest.mark.skipif(find_tool(PROMTOOL) is None, reason="promtool is not here; run make monitoring-tools")
def test_promtool_finds_nothing_to_say(used):
    done = subprocess.run(
        [tool(PROMTOOL), "check", "metrics"], input=used.families.render()[0], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text; version=x.y", "text/plain;version=", "\xff", "a" * 9_999]
)
def test_whatever_a_client_says_it_takes_it_gets_metrics(accept):
    assert b"endpoint_requests_total" in MetricFamilies().render(accept)[0]


def test_what_is_counted_while_the_model_changes_does_not_lead_later_counts_to_the_model_before():
    metrics = EndpointMetrics("gateway", KNOWN)
    children = metrics._counting[1]
    labels = metrics.families.errors.labels

    def changing(*values):
        metrics.families.errors.labels = labels
        metrics.serves(Build(model_version="2"))  # as another thread does, between looking up and keeping
        return labels(*values)

    metrics.families.errors.labels = changing
    metrics.failed("model_fault")
    metrics.failed("model_fault")
    assert metrics._counting[1] is not children
    assert scraped(metrics.families.render()[0].decode(), "endpoint_errors_total", model_version="2") == 1


def test_a_clock_that_goes_back_loses_no_value_of_a_window_and_breaks_no_scrape():
    now = [1000.0]
    metrics = metrics_at(lambda: now[0])
    metrics.scored([0.2])
    now[0] = 10.0
    metrics.scored([0.8])
    assert (value_of(metrics, "endpoint_score_min"), value_of(metrics, "endpoint_score_max")) == (0.2, 0.8)
    now[0] = 1000.0 + 2 * WINDOW_SECONDS
    assert value_of(metrics, "endpoint_score_min") is None
