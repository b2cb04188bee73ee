"""Steps whose metrics go to the stack's experiment tracker, where it has one."""

from __future__ import annotations

from zenml.client import Client
from zenml.config.base_settings import BaseSettings
from zenml.steps import BaseStep


def tracked(step: BaseStep, experiment: str) -> BaseStep:
    """The step with the active stack's experiment tracker; the step itself where there is none."""
    tracker = Client().active_stack.experiment_tracker
    if tracker is None:
        return step
    settings: dict[str, BaseSettings | dict[str, object]] = {}
    if tracker.flavor == "mlflow":
        settings["experiment_tracker"] = {"experiment_name": experiment}
    return step.with_options(experiment_tracker=tracker.name, settings=settings)
