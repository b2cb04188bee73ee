"""What a run of a pipeline tells a Pushgateway at its end, and the hooks that push where a step fails."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from zenml import get_step_context
from zenml.client import Client
from zenml.models import PipelineRunResponse
from zenml.utils.time_utils import utc_now

from monitoring.pipeline_pushes import EvaluationValue, RunMetrics, push_run
from registry.announcements import announce_failure

SETTINGS = "pushes"
"""Key of a pipeline's ``extra`` that holds where to push, and where dropped pushes are counted."""


@dataclass(frozen=True)
class Pushing:
    """Where runs are pushed to.

    Attributes:
        address: Of the Pushgateway.
        counts: Folder that counts dropped pushes; empty where a step has no disk that outlives it.
    """

    address: str
    counts: str

    def push(
        self,
        run: PipelineRunResponse,
        succeeded: bool,
        evaluation: tuple[EvaluationValue, ...] = (),
        gates: Mapping[str, bool] | None = None,
    ) -> bool:
        """Push a run that ends now; whether that arrived, and nothing is raised."""
        name = run.pipeline.name if run.pipeline else ""
        seconds = (utc_now() - run.start_time).total_seconds() if run.start_time else 0.0
        metrics = RunMetrics(name, succeeded, max(0.0, seconds), time.time(), evaluation, gates or {})
        return push_run(self.address, metrics, Path(self.counts) if self.counts else None)


def push_failure(exception: BaseException) -> None:
    """On the failure of a step: push that the run failed, which leaves what it pushed when it last succeeded.

    Args:
        exception: What the step raised.
    """
    run = get_step_context().pipeline_run
    pushing = _pushing(run.config.extra)
    if pushing is not None:
        pushing.push(run, succeeded=False)


def announce_and_push_failure(exception: BaseException) -> None:
    """On the failure of a step: tell the stack's alerter, and push that the run failed.

    Args:
        exception: What the step raised.
    """
    try:
        push_failure(exception)  # first, because it takes a few seconds at most
    finally:
        announce_failure(exception)


def push_failure_of(run_id: UUID) -> None:
    """Push that a run failed, also where no step's hook could; pushing it twice says the same.

    Args:
        run_id: Of the run.
    """
    run = Client().get_pipeline_run(run_id)
    pushing = _pushing(run.config.extra)
    if pushing is not None:
        pushing.push(run, succeeded=False)


def _pushing(extra: Mapping[str, Any]) -> Pushing | None:
    settings = extra.get(SETTINGS)
    return Pushing(str(settings["address"]), str(settings["counts"])) if settings else None
