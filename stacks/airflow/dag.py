"""Becomes the Airflow DAG of an exported pipeline: one BashOperator a step, which runs it with this project's Python.

ZenML copies this file into a zip in Airflow's DAG folder, beside the pipeline's description, and takes the two classes
and two constants from it. There it is read by Airflow's own Python, which has neither ZenML nor this project; so it
imports nothing of either.
"""

from __future__ import annotations

import shlex
import zipfile
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

CONFIG_FILENAME = "config.json"
ENV_ZENML_AIRFLOW_RUN_ID = "ZENML_AIRFLOW_RUN_ID"
ENTRYPOINT = "stacks.airflow.step.AirflowStep"
_ENTRYPOINT_OPTION = "--entrypoint_config_source"
_ONCE = "@once"


class TaskConfiguration(BaseModel):
    """A step, as ZenML describes it."""

    id: str
    zenml_step_name: str
    upstream_steps: list[str]
    docker_image: str
    command: list[str]
    arguments: list[str]
    environment: dict[str, str] = {}
    operator_source: str
    operator_args: dict[str, Any] = {}

    def model_post_init(self, _context: object) -> None:
        """Drop ZenML's own variables, which hold an access token; tasks read its configuration folder instead."""
        kept = {name: value for name, value in self.environment.items() if not name.startswith("ZENML_")}
        self.environment = kept


class DagConfiguration(BaseModel):
    """A pipeline, as ZenML describes it."""

    id: str
    tasks: list[TaskConfiguration]
    local_stores_path: str | None = None
    schedule: timedelta | str
    start_date: datetime
    end_date: datetime | None = None
    catchup: bool = False
    tags: list[str] = []
    dag_args: dict[str, Any] = {}


def operator_arguments(task: TaskConfiguration) -> dict[str, Any]:
    """Arguments of the BashOperator of a step.

    Args:
        task: Its operator_args hold ``python`` (path of the interpreter), ``env`` and whatever else a BashOperator
            takes, such as ``cwd``, ``retries`` and ``retry_delay`` (seconds).
    """
    given = dict(task.operator_args)
    python, environment = given.pop("python"), given.pop("env", {})
    arguments = list(task.arguments)
    arguments[arguments.index(_ENTRYPOINT_OPTION) + 1] = ENTRYPOINT
    return {
        "task_id": task.id,
        "bash_command": f"exec {shlex.join([python, *task.command[1:], *arguments])}",  # exec: a kill reaches the step
        "env": {**task.environment, **environment, ENV_ZENML_AIRFLOW_RUN_ID: "{{ run_id }}"},
        "append_env": False,
        **given,
    }


def build_dag(config: DagConfiguration) -> Any:  # noqa: ANN401 - Airflow's DAG, which this environment does not have
    """The DAG; one without a schedule runs when it is triggered, not as soon as it is found."""
    dag_class = import_module("airflow.sdk").DAG
    dag = dag_class(
        dag_id=config.id,
        schedule=None if config.schedule == _ONCE else config.schedule,
        start_date=_aware(config.start_date),
        end_date=_aware(config.end_date),
        catchup=config.catchup,
        is_paused_upon_creation=False,
        tags=config.tags,
        **config.dag_args,
    )
    operators: dict[str, Any] = {}
    for task in config.tasks:
        module, _, name = task.operator_source.rpartition(".")
        operator = getattr(import_module(module), name)(dag=dag, **operator_arguments(task))
        operator.set_upstream([operators[step] for step in task.upstream_steps])
        operators[task.zenml_step_name] = operator
    return dag


def _aware(moment: datetime | None) -> datetime | None:
    """A moment that says it is in UTC, as ZenML's are."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


if zipfile.is_zipfile(Path(__file__).parent):
    with zipfile.ZipFile(Path(__file__).parent) as archive:
        dag = build_dag(DagConfiguration.model_validate_json(archive.read(CONFIG_FILENAME)))
