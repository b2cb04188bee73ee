"""Pipelines whose outcome goes to a Pushgateway, where one is configured; unchanged where none is.

How a run ended well is pushed by its last step, and that it failed by a hook, so that both also happen under Airflow or
on a schedule. A run that is killed hard tells nothing: the time of the last success, which gets old, tells that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.pipelines.pipeline_definition import Pipeline
from zenml.steps import BaseStep

from monitoring.pipeline_pushes.pushgateway import ADDRESS, checked_address
from pipelines.launch import HandedOver, folder_for_steps
from pipelines.with_alerts import newest_run
from registry.run_pushes import SETTINGS, announce_and_push_failure, push_failure, push_failure_of
from retrieval.config.schema import Config
from retrieval.paths import DROPPED_PUSHES


def pushes_to(config: Config) -> str:
    """Address of the Pushgateway; empty where none is configured.

    Raises:
        ConfigError: If it is no address.
    """
    address = config.monitoring.pushgateway or os.environ.get(ADDRESS, "")
    return checked_address(address) if address else ""


def with_pushes(pipeline: Pipeline, config: Config) -> Pipeline:
    """The pipeline, pushing that it failed; give it after `with_alerts`, whose hook is then called as well."""
    if not (address := pushes_to(config)):
        return pipeline
    alerts = Client().active_stack.alerter is not None
    hook = announce_and_push_failure if alerts else push_failure
    settings = {"address": address, "counts": folder_for_steps(DROPPED_PUSHES)}
    return pipeline.with_options(on_failure=hook, extra={SETTINGS: settings})


def pushing(step: BaseStep, config: Config, *inputs: Any, after: Any) -> None:  # noqa: ANN401 - ZenML's artifacts to come
    """Wire the step that pushes how a run ended well; none where nothing is pushed.

    Args:
        step: Of `steps.monitoring.push_run_metrics`.
        config: Of the run.
        inputs: What the step reads before the address.
        after: What the pipeline's last step gives: the run is pushed when all else is done.
    """
    if address := pushes_to(config):
        step(*inputs, address, folder_for_steps(DROPPED_PUSHES), after=after)


@contextmanager
def failures_pushed(pipeline: Pipeline, config: Config) -> Iterator[None]:
    """Also push that a run failed outside its steps' own code, which no hook of ZenML sees.

    Args:
        pipeline: Whose run is made in the block; one that failed before the block is none of its business.
        config: Of the run.
    """
    if not pushes_to(config):
        yield
        return
    before = newest_run(pipeline)
    try:
        yield
    except HandedOver:  # no failure: the pipeline runs later and elsewhere
        raise
    except BaseException:
        run = newest_run(pipeline)
        if run is not None and run.status == ExecutionStatus.FAILED and (before is None or run.id != before.id):
            push_failure_of(run.id)
        raise
