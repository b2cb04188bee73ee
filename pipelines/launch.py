"""Starts a pipeline on the active stack: runs it to its end here, or hands it to an orchestrator that runs it later."""

from __future__ import annotations

from pathlib import Path

from zenml.client import Client
from zenml.models import PipelineRunResponse
from zenml.pipelines.pipeline_definition import Pipeline

from pipelines.results import Outcome, finished
from retrieval.config.schema import Config, OrchestrationConfig
from retrieval.errors import ConfigError
from stacks.orchestration import (
    AIRFLOW,
    KUBERNETES,
    UNATTENDED,
    dag_file,
    export_whole_pipelines,
    replace_schedules,
    run_options,
)


class HandedOver(Exception):  # noqa: N818 - not an error
    """The pipeline was given to an orchestrator that runs it later.

    Attributes:
        outcome: What to print instead of results.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(*outcome.lines)
        self.outcome = outcome


def launched(pipeline: Pipeline, config: Config, cache: bool, *arguments: str) -> PipelineRunResponse:
    """Run a pipeline whose first parameter is the configuration.

    Args:
        pipeline: To be run.
        config: Its first argument; the section `orchestration` says when and how often.
        cache: Whether unchanged steps are answered from the cache.
        arguments: Its other arguments.

    Returns:
        The finished run.

    Raises:
        HandedOver: If the orchestrator runs the pipeline later.
        RetrievalError: If the run failed.
    """
    flavor, name, orchestration = _flavor(), _name(pipeline, config), config.orchestration
    ready = configured(pipeline, config, cache)
    if flavor in UNATTENDED:
        replace_schedules(name)
    if flavor == AIRFLOW:
        export_whole_pipelines()
    response = ready(config, *arguments)
    if flavor == AIRFLOW:
        raise HandedOver(_exported(name, orchestration))
    if flavor in UNATTENDED and orchestration.schedule:
        raise HandedOver(Outcome([f"{name} runs on the schedule {orchestration.schedule} (UTC)"], _LOOK))
    return finished(response)


def configured(pipeline: Pipeline, config: Config, cache: bool) -> Pipeline:
    """The pipeline with what the active stack's orchestrator is to be told."""
    options = run_options(_flavor(), pipeline.name, _name(pipeline, config), config.orchestration)
    return pipeline.with_options(enable_cache=cache, **options)


def runs_here() -> bool:
    """Whether the active stack runs pipelines at once and on this machine."""
    return _flavor() not in UNATTENDED


def folder_for_steps(folder: Path) -> str:
    """A folder of this machine as a step has to be told of it; empty where steps have no disk that outlives them.

    Airflow's tasks run in a frozen copy of the project, so a path from the project's folder would lead into that copy.
    """
    if _flavor() == KUBERNETES:
        return ""
    return str(folder.absolute() if _flavor() == AIRFLOW else folder)


def require_foreground(work: str) -> None:
    """Refuse work that is to happen now and here on a stack that runs pipelines later or elsewhere.

    Args:
        work: Named in the error.

    Raises:
        ConfigError: If the active stack's orchestrator does so.
    """
    if not runs_here():
        raise ConfigError(f"{work} happens at once and here, not on {_flavor()}; add --stack local (or s3-mlflow)")


_LOOK = ["zenml pipeline schedule list", "zenml pipeline runs list"]


def _flavor() -> str:
    return Client().active_stack.orchestrator.flavor


def _name(pipeline: Pipeline, config: Config) -> str:
    """Of the DAG or the schedule: the same each time, so that a new one takes the place of the one before."""
    return f"{pipeline.name}-{config.name}"


def _exported(name: str, config: OrchestrationConfig) -> Outcome:
    lines = [
        f"DAG {name} written to {dag_file(name)}",
        f"Airflow runs it on the schedule {config.schedule} (UTC)"
        if config.schedule
        else "Airflow runs it when it is triggered",
        f"A failed task is tried again {config.retries} times, {config.retry_delay_seconds} s later",
        "Code, configuration and the project's own files are frozen as they are now; export again when they change",
    ]
    return Outcome(lines, [f"airflow dags trigger {name}", *_LOOK[1:]])
