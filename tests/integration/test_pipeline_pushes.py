"""What runs of small pipelines leave at a real Pushgateway: success, failure, and nothing that stops them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import pytest
from zenml import pipeline, step
from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.enums import ExecutionMode, ExecutionStatus
from zenml.exceptions import RunInterruptedException
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.pipelines.pipeline_definition import Pipeline

from monitoring.pipeline_pushes.dropped import dropped_so_far
from monitoring.pipeline_pushes.pushgateway import ADDRESS
from pipelines.with_alerts import with_alerts
from pipelines.with_pushes import failures_pushed, pushing, with_pushes
from retrieval.config.schema import Config, MonitoringConfig
from retrieval.experiments.assessment import JudgedRuns
from retrieval.paths import DROPPED_PUSHES
from retrieval.processes.servers import LocalServer, free_port
from retrieval.records import Decision, Query, TrecRun
from steps.library_step import library_step
from steps.monitoring.push_run_metrics import push_run, push_trained_run
from tests.helpers.monitoring_servers import needs_pushgateway, pipeline_samples, pushgateway

pytestmark = needs_pushgateway
INTERRUPT = "Ctrl-C"


class Unsavable:
    """A value whose artifact store is always full."""


class UnsavableMaterializer(BaseMaterializer):
    ASSOCIATED_TYPES = (Unsavable,)

    def save(self, data: Any) -> None:
        raise OSError("No space left on device")


@library_step
def measure(fault: str) -> tuple[Annotated[JudgedRuns, "found"], Annotated[Decision, "verdict"]]:
    if fault == INTERRUPT:
        raise KeyboardInterrupt
    if fault:
        raise ValueError(fault)
    queries = tuple(Query(f"q{n}", "?", ("a",), "?", source, "test") for n, source in enumerate(("title", "natural")))
    rows, scores = np.array([[0], [1]], np.int32), np.ones((2, 1), np.float32)
    runs = (TrecRun("reranked", ("q0", "q1"), ("a", "b"), rows, scores),)
    return JudgedRuns(queries, runs), Decision(
        "legal-retriever", False, ("no",), gates={"mrr@10": True, "latency": False}
    )


@step(output_materializers=UnsavableMaterializer, enable_cache=False)
def unsavable_step() -> Unsavable:
    return Unsavable()


@pipeline(name="measured", execution_mode=ExecutionMode.FAIL_FAST)
def measured(config: Config, fault: str) -> None:
    found, verdict = measure(fault)
    pushing(push_trained_run, config, found, verdict, after=verdict)


@pipeline(name="unsavable", execution_mode=ExecutionMode.FAIL_FAST)
def unsavable(config: Config, fault: str) -> None:
    pushing(push_run, config, after=unsavable_step())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A ZenML home of its own, and a Pushgateway."""
    with pytest.MonkeyPatch.context() as patch, pushgateway(tmp_path_factory.mktemp("pushgateway")) as started:
        patch.setenv("ZENML_CONFIG_PATH", str(tmp_path_factory.mktemp("zenml")))
        patch.setenv("ZENML_ANALYTICS_OPT_IN", "false")
        patch.setenv("ZENML_ACTIVE_STACK_ID", "")  # so that it is put back
        patch.delenv("ZENML_ACTIVE_STACK_ID")
        patch.delenv(ADDRESS, raising=False)
        patch.chdir(tmp_path_factory.mktemp("project"))
        GlobalConfiguration._reset_instance()
        Client._reset_instance()
        yield started
    GlobalConfiguration._reset_instance()
    Client._reset_instance()


def run(wired: Pipeline, address: str, fault: str = "") -> None:
    config = Config(monitoring=MonitoringConfig(pushgateway=address))
    with failures_pushed(wired, config):
        with_pushes(with_alerts(wired), config)(config, fault)


def newest_steps() -> dict[str, str]:
    (newest,) = Client().list_pipeline_runs(sort_by="desc:created", size=1, hydrate=True).items
    return {name: one.status.value for name, one in newest.steps.items()}


def test_a_run_leaves_outcome_duration_measures_and_gates(server: LocalServer) -> None:
    run(measured, server.url)
    shown = pipeline_samples(server.url)
    assert shown['pipeline_run_success{pipeline="measured"}'] == 1
    assert shown['pipeline_run_duration_seconds{pipeline="measured"}'] > 0
    value = 'pipeline_evaluation_value{metric="mrr@10",pipeline="measured",queries="%s",stage="reranked"}'
    assert (shown[value % "titles"], shown[value % "questions"]) == (1, 0)
    gates = {name: shown[f'pipeline_gate_passed{{gate="{name}",pipeline="measured"}}'] for name in ("mrr@10", "all")}
    assert gates == {"mrr@10": 1, "all": 0}


def test_a_run_whose_steps_are_all_cached_is_pushed_as_well(server: LocalServer) -> None:
    run(measured, server.url)
    before = pipeline_samples(server.url)['pipeline_run_timestamp_seconds{pipeline="measured"}']
    run(measured, server.url)
    assert newest_steps() == {"measure": "cached", "push_trained_run": "completed"}
    assert pipeline_samples(server.url)['pipeline_run_timestamp_seconds{pipeline="measured"}'] > before


def test_a_failing_step_pushes_the_failure_and_keeps_the_last_success(server: LocalServer) -> None:
    run(measured, server.url)
    before = pipeline_samples(server.url)
    with pytest.raises(ValueError, match="row 17"):
        run(measured, server.url, "row 17")
    shown = pipeline_samples(server.url)
    assert shown['pipeline_run_success{pipeline="measured"}'] == 0
    last = 'pipeline_last_success_timestamp_seconds{pipeline="measured"}'
    assert shown[last] == before[last] < shown['pipeline_run_timestamp_seconds{pipeline="measured"}']


def test_an_interrupted_run_is_a_failed_one(server: LocalServer) -> None:
    run(measured, server.url)
    with pytest.raises((KeyboardInterrupt, RunInterruptedException)):
        run(measured, server.url, INTERRUPT)
    assert pipeline_samples(server.url)['pipeline_run_success{pipeline="measured"}'] == 0


def test_a_failure_while_saving_is_pushed_too(server: LocalServer) -> None:
    with pytest.raises(OSError, match="No space left"):
        run(unsavable, server.url)
    shown = pipeline_samples(server.url)
    assert shown['pipeline_run_success{pipeline="unsavable"}'] == 0
    assert 'pipeline_last_success_timestamp_seconds{pipeline="unsavable"}' not in shown


def test_a_pushgateway_that_is_away_fails_no_run_and_the_next_push_tells_of_it(
    server: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    before = dropped_so_far(DROPPED_PUSHES, "measured")
    with caplog.at_level(logging.WARNING):
        run(measured, f"http://127.0.0.1:{free_port()}")
    assert Client().list_pipeline_runs(sort_by="desc:created").items[0].status == ExecutionStatus.COMPLETED
    assert dropped_so_far(DROPPED_PUSHES, "measured") == before + 1
    run(measured, server.url)
    assert pipeline_samples(server.url)['pipeline_pushes_dropped_total{pipeline="measured"}'] == before + 1


def test_the_variable_names_a_pushgateway_where_no_key_does(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS, server.url + "/")
    before = pipeline_samples(server.url)['pipeline_run_timestamp_seconds{pipeline="measured"}']
    run(measured, "")
    assert pipeline_samples(server.url)['pipeline_run_timestamp_seconds{pipeline="measured"}'] > before


def test_without_an_address_a_pipeline_stays_as_it_is(server: LocalServer) -> None:
    assert with_pushes(measured, Config()) is measured
    run(measured, "")
    assert set(newest_steps()) == {"measure"}
