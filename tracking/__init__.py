"""The one place that talks to MLflow: what a running step measures, and the registry of models.

Steps call the functions of this file; where the stack has no MLflow they do nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from zenml import get_step_context

from tracking.session import current


def log_metric(prefix: str) -> Callable[[str, float, int], None]:
    """A function that records metrics of one model as ``prefix/name`` at a step."""
    session = current()

    def log(name: str, value: float, step: int) -> None:
        if session is not None and math.isfinite(value):
            session.metric(f"{prefix}/{name}", value, step)

    return log


def log_metrics(values: Mapping[str, float]) -> None:
    """Record final values."""
    session = current()
    for name, value in values.items():
        if session is not None and math.isfinite(value):
            session.metric(name, value, 0)


def log_fact(name: str, value: str) -> None:
    """Record where a result came from, such as ``data_version``."""
    session = current()
    if session is not None:
        session.spool.put({"tag": name, "value": value}, {"param": name, "value": value})


def log_folder(folder: Path, name: str) -> None:
    """Record every file below a folder: reports and pictures."""
    session = current()
    if session is not None:
        session.spool.put_folder(folder, name)


def run_id() -> str:
    """Id of the MLflow run, or of the ZenML run where nothing tracks; MLflow's run has that one as a tag."""
    session = current()
    return (session.run_id if session is not None else "") or str(get_step_context().pipeline_run.id)
