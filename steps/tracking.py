"""Metrics, parameters and files of a running step, sent to MLflow where the stack has it and dropped elsewhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel
from zenml import get_step_context


def log_metric(prefix: str) -> Callable[[str, float, int], None]:
    """A function that records metrics of one model as ``prefix/name`` at a step."""
    mlflow = _tracker()

    def log(name: str, value: float, step: int) -> None:
        if mlflow is not None and math.isfinite(value):
            mlflow.log_metric(f"{prefix}/{name}", value, step=step)

    return log


def log_metrics(values: Mapping[str, float]) -> None:
    """Record final values; MLflow allows no ``@`` in a name."""
    mlflow = _tracker()
    if mlflow is not None:
        finite = {name.replace("@", "_at_"): value for name, value in values.items() if math.isfinite(value)}
        mlflow.log_metrics(finite)


def log_config(name: str, config: BaseModel) -> None:
    """Record a section of the configuration as parameters."""
    mlflow = _tracker()
    if mlflow is not None:
        flat = _flat(config.model_dump(mode="json"), f"{name}.")
        mlflow.log_params({key: str(value)[:500] for key, value in flat.items()})


def log_folder(folder: Path, name: str) -> None:
    """Record every file below a folder."""
    mlflow = _tracker()
    if mlflow is not None:
        mlflow.log_artifacts(str(folder), artifact_path=name)


def run_id() -> str:
    """Id of the MLflow run, or of the ZenML run where nothing tracks."""
    mlflow = _tracker()
    active = mlflow.active_run() if mlflow is not None else None
    return str(active.info.run_id) if active else str(get_step_context().pipeline_run.id)


def _tracker() -> ModuleType | None:
    """MLflow while a run of it is open; ZenML imports it and opens the run before a tracked step begins."""
    mlflow = sys.modules.get("mlflow")
    return mlflow if mlflow is not None and mlflow.active_run() is not None else None


def _flat(values: Mapping[str, object], prefix: str) -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
