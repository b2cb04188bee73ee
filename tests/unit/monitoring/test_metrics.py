"""The metrics: exactly the names that were asked for, bounded labels, and what Prometheus's own checker says."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.metrics import EndpointMetrics

NAMES = {
    "endpoint_requests", "endpoint_cold_starts", "endpoint_errors", "endpoint_request_duration_seconds",
    "endpoint_inference_duration_seconds", "endpoint_batch_size", "endpoint_embedding_dimension",
    "endpoint_score_value", "endpoint_score_min", "endpoint_score_max", "endpoint_cost_per_request",
    "endpoint_cost_per_1k_requests", "endpoint_queue_depth", "endpoint_queue_wait_seconds", "endpoint_tokens",
    "endpoint_truncations", "endpoint_rejections",
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
    metrics.cost_usd.labels("cross-encoder").set(1e-6)
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


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian package prometheus)")
def test_promtool_finds_nothing_to_say(used):
    done = subprocess.run(["promtool", "check", "metrics"], input=used.render(), capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
