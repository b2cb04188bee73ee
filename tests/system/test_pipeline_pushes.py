"""Runs of pipelines at a real Pushgateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.pipeline_pushes import EvaluationValue, RunMetrics, push_run
from monitoring.pipeline_pushes.command import main
from monitoring.pipeline_pushes.dropped import count_dropped
from retrieval.processes.servers import LocalServer
from tests.helpers.monitoring_servers import (
    complaints_about,
    metrics_of,
    needs_pushgateway,
    pipeline_samples,
    pushgateway,
)
from tests.helpers.serve_process import eventually

pytestmark = needs_pushgateway
MEASURED = (EvaluationValue("mrr@10", "reranked", "questions", 0.75), EvaluationValue("mrr@10", "bm25", "titles", 0.5))
GOOD = RunMetrics("training", True, 60.0, 1_700_000_000.0, MEASURED, {"all": True, "latency": True})
FAILED = RunMetrics("training", False, 5.0, 1_700_000_900.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    with pushgateway(tmp_path) as started:
        yield started


def test_a_failure_after_a_success_keeps_when_it_last_succeeded_and_what_it_measured(
    server: LocalServer, tmp_path: Path
):
    assert push_run(server.url, GOOD, tmp_path)
    assert push_run(server.url, FAILED, tmp_path)
    shown = pipeline_samples(server.url)
    assert shown['pipeline_run_success{pipeline="training"}'] == 0
    assert shown['pipeline_run_timestamp_seconds{pipeline="training"}'] == 1_700_000_900
    assert shown['pipeline_run_duration_seconds{pipeline="training"}'] == 5
    assert shown['pipeline_last_success_timestamp_seconds{pipeline="training"}'] == 1_700_000_000
    assert shown['pipeline_gate_passed{gate="latency",pipeline="training"}'] == 1
    assert shown['pipeline_evaluation_value{metric="mrr@10",pipeline="training",queries="titles",stage="bm25"}'] == 0.5


def test_the_next_success_replaces_what_the_one_before_measured(server: LocalServer, tmp_path: Path):
    push_run(server.url, GOOD, tmp_path)
    push_run(server.url, RunMetrics("training", True, 1.0, 1_700_001_000.0, MEASURED[:1], {"all": False}), tmp_path)
    shown = pipeline_samples(server.url)
    assert [name for name in shown if "evaluation" in name or "gate" in name] == [
        'pipeline_evaluation_value{metric="mrr@10",pipeline="training",queries="questions",stage="reranked"}',
        'pipeline_gate_passed{gate="all",pipeline="training"}',
    ]


def test_two_pipelines_stand_beside_each_other_in_one_group_each(server: LocalServer, tmp_path: Path):
    push_run(server.url, GOOD, tmp_path)
    push_run(server.url, RunMetrics("data", False, 2.0, 3.0), tmp_path)
    for _ in range(5):
        push_run(server.url, GOOD, tmp_path)
    shown = pipeline_samples(server.url)
    assert shown['pipeline_run_success{pipeline="training"}'] == 1
    assert shown['pipeline_run_success{pipeline="data"}'] == 0
    assert len([name for name in shown if name.startswith("pipeline_run_success")]) == 2


def test_dropped_pushes_arrive_as_a_count_with_the_next_push(server: LocalServer, tmp_path: Path):
    count_dropped(tmp_path, "training")
    count_dropped(tmp_path, "training")
    assert push_run(server.url, FAILED, tmp_path)
    assert pipeline_samples(server.url)['pipeline_pushes_dropped_total{pipeline="training"}'] == 2


def test_promtool_finds_nothing_to_complain_about(server: LocalServer, tmp_path: Path):
    push_run(server.url, GOOD, tmp_path)
    push_run(server.url, RunMetrics("data", False, 2.0, 3.0), tmp_path)
    text = metrics_of(server.url)
    assert "pipeline_evaluation_value{" in text
    assert complaints_about(text) == ""


def test_a_retired_pipeline_is_deleted_and_only_that(
    server: LocalServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    push_run(server.url, GOOD, tmp_path)
    push_run(server.url, RunMetrics("data", False, 2.0, 1_700_000_000.0), tmp_path)
    assert main(["list", "--pushgateway", server.url]) == 0
    head, data, training = capsys.readouterr().out.splitlines()
    assert head.startswith("pipeline")
    assert data.split() == ["data", "failed", "2023-11-14", "22:13:20", "-", "0"]
    assert training.split() == ["training", "succeeded", "2023-11-14", "22:13:20", "2023-11-14", "22:13:20", "0"]

    assert main(["delete", "old", "--pushgateway", server.url]) == 2
    assert "old: no such pipeline" in capsys.readouterr().err
    assert main(["delete", "training", "--pushgateway", server.url]) == 0
    eventually(lambda: not [name for name in pipeline_samples(server.url) if "training" in name])  # it deletes later
    assert 'pipeline_run_success{pipeline="data"}' in pipeline_samples(server.url)
