"""Pipelines whose beginning and end are told to the stack's alerter, where it has one; unchanged where it has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunResponse
from zenml.pipelines.pipeline_definition import Pipeline
from zenml.steps import BaseStep

from pipelines.launch import HandedOver
from registry.announcements import announce_failure, announce_start, announce_unseen_failure


def with_alerts(pipeline: Pipeline) -> Pipeline:
    """The pipeline, saying when it starts and which step fails."""
    if Client().active_stack.alerter is None:
        return pipeline
    return pipeline.with_options(on_start=announce_start, on_failure=announce_failure)


def announcing(step: BaseStep, hook: Callable[[], None]) -> BaseStep:
    """The last step of a pipeline, announcing its success; never cached then, or a run with nothing new would be mute.

    Args:
        step: Last of its pipeline.
        hook: Of `registry.announcements`.
    """
    if Client().active_stack.alerter is None:
        return step
    return step.with_options(on_success=hook, enable_cache=False)


@contextmanager
def failures_announced(pipeline: Pipeline) -> Iterator[None]:
    """Also say that a run failed outside its steps' own code, which no hook of ZenML sees.

    Args:
        pipeline: Whose run is made in the block; one that failed before the block is none of its business.
    """
    if Client().active_stack.alerter is None:
        yield
        return
    before = newest_run(pipeline)
    try:
        yield
    except HandedOver:  # no failure: the pipeline runs later and elsewhere
        raise
    except Exception as error:
        run = newest_run(pipeline)
        if run is not None and run.status == ExecutionStatus.FAILED and (before is None or run.id != before.id):
            announce_unseen_failure(run.id, error)
        raise


def newest_run(pipeline: Pipeline) -> PipelineRunResponse | None:
    """The run of a pipeline that was made last; None where there is none."""
    found = Client().list_pipeline_runs(pipeline_name=pipeline.name, sort_by="desc:created", size=1).items
    return found[0] if found else None
