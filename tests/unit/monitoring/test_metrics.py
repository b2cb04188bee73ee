"""The metrics: exactly the names that were asked for, bounded labels, and what Prometheus's own checker says."""

from __future__ import annotations

import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.metrics import EndpointMetrics
from monitoring.tools import PROMTOOL, find_tool, tool
from monitoring.windows import WINDOW_SECONDS, Window

NAMES = {
    "endpoint_requests", "endpoint_cold_starts", "endpoint_errors", "endpoint_request_duration_seconds",
    "endpoint_inference_duration_seconds", "endpoint_batch_size", "endpoint_embedding_dimension",
    "endpoint_score_value", "endpoint_score_min", "endpoint_score_max", "endpoint_cost_per_request",
    "endpoint_cost_per_1k_requests", "endpoint_queue_depth", "endpoint_queue_wait_seconds", "endpoint_tokens",
    "endpoint_truncations", "endpoint_rejections", "endpoint_fallbacks", "endpoint_cost_usd",
}  # fmt: skip


@pytest.fixture
def used() -> EndpointMetrics:
    metrics = EndpointMetrics("cross-encoder", ("rerank",))
    metrics.answered("rerank", 200, 0.02)
    metrics.answered("x" * 1000, 422, 0.001)
    metrics.scored([0.2, 0.9, 0.4])
    metrics.errors.labels("cross-encoder", "invalid_input").inc()
    metrics.rejections.labels("cross-encoder", "overloaded").inc()
    metrics.batch_size.labels("cross-encoder").observe(3)
    metrics.inference_seconds.labels("cross-encoder").observe(0.01)
    metrics.queue_wait_seconds.labels("cross-encoder").observe(0.01)
    metrics.queue_depth.labels("cross-encoder").set(2)
    metrics.tokens.labels("cross-encoder").inc(30)
    metrics.truncations.labels("cross-encoder").inc()
    metrics.dimension.labels("cross-encoder").set(384)
    metrics.spent(1e-6)
    metrics.fell_back("slow")
    metrics.price_uptime(0.5)
    return metrics


def test_the_names_are_those_that_were_agreed_and_no_others(used):
    families = list(text_string_to_metric_families(used.render().decode()))
    assert {family.name for family in families} == NAMES
    assert all(family.documentation for family in families)


def test_an_action_that_is_not_known_counts_as_other(used):
    labels = {"endpoint": "cross-encoder", "action": "other", "status": "422"}
    assert used.registry.get_sample_value("endpoint_requests_total", labels) == 1
    assert "xxx" not in used.render().decode()


def test_scores_and_costs_are_those_of_the_requests(used):
    def value(name: str) -> float | None:
        return used.registry.get_sample_value(name, {"endpoint": "cross-encoder"})

    assert (value("endpoint_score_min"), value("endpoint_score_max")) == (0.2, 0.9)
    assert value("endpoint_score_value_count") == 3
    assert value("endpoint_cost_per_1k_requests") == 1000 * 0.5 / 2


def value_of(metrics: EndpointMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"endpoint": metrics.endpoint, **labels})


def test_score_and_cost_gauges_tell_of_every_request_of_the_window_and_not_of_the_last_alone():
    now = [1000.0]
    metrics = EndpointMetrics("cross-encoder", (), clock=lambda: now[0])
    for second, (scores, usd) in enumerate([([0.1, 0.5], 3e-6), ([0.9], 1e-6), ([0.4], 2e-6)]):
        now[0] = 1000.0 + 100.0 * second
        metrics.scored(scores)
        metrics.spent(usd)
    assert (value_of(metrics, "endpoint_score_min"), value_of(metrics, "endpoint_score_max")) == (0.1, 0.9)
    assert value_of(metrics, "endpoint_cost_per_request") == pytest.approx(2e-6)
    now[0] += WINDOW_SECONDS - 150.0  # the first request has left the window
    assert (value_of(metrics, "endpoint_score_min"), value_of(metrics, "endpoint_score_max")) == (0.4, 0.9)
    assert value_of(metrics, "endpoint_cost_per_request") == pytest.approx(1.5e-6)


def test_a_window_without_requests_has_no_sample_while_its_counters_stay():
    now = [0.0]
    metrics = EndpointMetrics("cross-encoder", (), clock=lambda: now[0])
    assert value_of(metrics, "endpoint_cost_per_request") is None
    metrics.scored([0.3])
    metrics.spent(4e-6)
    now[0] = 2.0 * WINDOW_SECONDS
    for name in ("endpoint_score_min", "endpoint_score_max", "endpoint_cost_per_request"):
        assert value_of(metrics, name) is None
    assert value_of(metrics, "endpoint_cost_usd_total") == pytest.approx(4e-6)


def test_the_window_is_named_in_the_help_of_every_gauge_over_it(used):
    families = {one.name: one.documentation for one in text_string_to_metric_families(used.render().decode())}
    for name in ("endpoint_score_min", "endpoint_score_max", "endpoint_cost_per_request"):
        assert "in the last 300 s" in families[name]


def test_processes_together_cost_what_the_sums_of_their_counters_say():
    ones = [EndpointMetrics("cross-encoder", ()) for _ in range(2)]
    costs = [[1e-6], [4e-6] * 3]
    for metrics, usd in zip(ones, costs, strict=True):
        for one in usd:
            metrics.spent(one)
    total = sum(value_of(metrics, "endpoint_cost_usd_total") for metrics in ones)
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
    done = subprocess.run([tool(PROMTOOL), "check", "metrics"], input=used.render(), capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
