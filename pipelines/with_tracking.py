"""Steps whose metrics go to the stack's experiment tracker, where it has one."""

from __future__ import annotations

from zenml.client import Client
from zenml.steps import BaseStep

from registry.reconcile import reconcile
from retrieval.config.schema import Config
from tracking.connection import FLAVOR, require
from tracking.session import SETTINGS, close_session, open_session
from tracking.spool import kept

_LONGEST_VALUE = 500


def with_tracking(step: BaseStep, config: Config) -> BaseStep:
    """The step with what it measures sent to the active stack's experiment tracker; as it is where there is none.

    MLflow runs are opened and closed by our own hooks: ZenML's would fail the step, and the run with it, when MLflow
    goes away while the step computes.

    Args:
        step: Calls `tracking`.
        config: Recorded as parameters.
    """
    tracker = Client().active_stack.experiment_tracker
    if tracker is None:
        return step
    if tracker.flavor != FLAVOR:
        return step.with_options(experiment_tracker=tracker.name)
    settings = {
        "experiment": config.tracking.experiment,
        "system_metrics_seconds": config.tracking.system_metrics_seconds,
        "parameters": parameters(config),
    }
    return step.with_options(on_start=open_session, on_end=close_session, extra={SETTINGS: settings})


def tracking_ready(config: Config) -> None:
    """Before a run: see that the tracker answers, send it what was kept, and make it agree with ZenML's stages.

    Raises:
        TrackingError: If the stack has an MLflow that does not answer.
    """
    require()
    reconcile(config.tracking.experiment)


def unsent() -> list[str]:
    """Lines about what waits to be sent to MLflow; none where everything was."""
    lines = kept()
    return ["", "Not in MLflow yet; the next command sends it", *(f"  {line}" for line in lines)] if lines else []


def parameters(config: Config) -> dict[str, str]:
    """Every key of the configuration with its value, nested keys joined by dots."""
    return {key: str(value)[:_LONGEST_VALUE] for key, value in _flat(config.model_dump(mode="json"), "").items()}


def _flat(values: dict[str, object], prefix: str) -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
