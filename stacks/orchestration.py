"""What a pipeline is given for the orchestrator of its stack: settings from stacks/orchestrators, schedule, retries."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import yaml
from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.config.retry_config import StepRetryConfig
from zenml.config.schedule import Schedule
from zenml.constants import ENV_ZENML_PREVENT_CLIENT_SIDE_CACHING
from zenml.utils.time_utils import utc_now

from retrieval.config.schema import OrchestrationConfig
from retrieval.errors import ConfigError
from retrieval.paths import CHECKPOINTS
from retrieval.telemetry import TELEMETRY_OFF
from stacks.airflow.frozen_code import freeze
from stacks.declarations import FOLDER, filled_in

AIRFLOW, KUBERNETES = "airflow", "kubernetes"
UNATTENDED = (AIRFLOW, KUBERNETES)
"""Flavors of orchestrators that run a pipeline by themselves."""
CHECKPOINTS_VARIABLE = "LEGAL_RETRIEVAL_CHECKPOINTS"
_PROJECT = FOLDER.parent
_TASK_VARIABLES = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE",
    "OMP_NUM_THREADS", "HF_HOME", "HF_HUB_OFFLINE", *TELEMETRY_OFF,
)  # fmt: skip
"""What an Airflow task gets of the environment it was exported from; nothing secret, it is written into the DAG."""


def run_options(flavor: str, pipeline: str, name: str, config: OrchestrationConfig) -> dict[str, Any]:
    """Options for ``Pipeline.with_options``; none for an orchestrator that runs in the foreground.

    Args:
        flavor: Of the active stack's orchestrator.
        pipeline: Name of the pipeline, whose steps' own settings are taken.
        name: Of the DAG or schedule.
        config: Schedule and retries.

    Raises:
        ConfigError: If an environment variable that the settings need is not set.
    """
    if flavor not in UNATTENDED:
        return {}
    options = read_settings(flavor)
    options["steps"] = options.get("steps", {}).get(pipeline, {})
    if config.retries:
        options["retry"] = StepRetryConfig(max_retries=config.retries, delay=config.retry_delay_seconds)
    if config.schedule:
        options["schedule"] = Schedule(name=f"{name}-{utc_now():%Y%m%d-%H%M%S}", cron_expression=config.schedule)
    if flavor == AIRFLOW:
        orchestrator = options["settings"]["orchestrator"]
        options["settings"]["orchestrator"] = {**orchestrator, "dag_id": name, "operator_args": _task(config)}
    return options


def read_settings(flavor: str) -> dict[str, Any]:
    """The file of an orchestrator, with the environment filled in.

    Raises:
        ConfigError: If an environment variable that it names under ``environment`` is not set.
    """
    path = FOLDER / "orchestrators" / f"{flavor}.yaml"
    options: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    lacking = [f"{name} is not set: {how}" for name, how in options.pop("environment", {}).items() if not _set(name)]
    if lacking:
        raise ConfigError("; ".join(lacking))
    filled: dict[str, Any] = filled_in(options)
    return filled


def replace_schedules(name: str) -> None:
    """Archive the schedules that earlier submissions of the same name made, on the orchestrator too where it can."""
    client = Client()
    for schedule in client.list_schedules(name=f"startswith:{name}-2", size=1000).items:
        client.delete_schedule(schedule.id)


def export_whole_pipelines() -> None:
    """Make ZenML hand over steps with a cached result as well; it leaves them out otherwise, and the DAG is a stump."""
    os.environ[ENV_ZENML_PREVENT_CLIENT_SIDE_CACHING] = "true"


def dag_file(name: str) -> Path:
    """Where ZenML writes the DAG of that name."""
    orchestrator = Client().active_stack.orchestrator
    folder = orchestrator.config.dag_output_dir or orchestrator.dags_directory  # type: ignore[attr-defined]
    return Path(folder) / f"{name}.zip"


def _task(config: OrchestrationConfig) -> dict[str, Any]:
    """What every BashOperator is given; Airflow does the retrying, so that a killed task counts as well."""
    zenml = GlobalConfiguration()
    environment = {
        **{name: os.environ[name] for name in _TASK_VARIABLES if name in os.environ},
        "ZENML_CONFIG_PATH": zenml.config_directory,
        "ZENML_LOCAL_STORES_PATH": zenml.local_stores_path,
        "ZENML_LOGGING_COLORS_DISABLED": "true",
        CHECKPOINTS_VARIABLE: str(_PROJECT / CHECKPOINTS),
    }
    return {
        "python": sys.executable,
        "cwd": str(freeze(_PROJECT, Path(zenml.local_stores_path) / "airflow_code")),
        "env": environment,
        "retries": config.retries,
        "retry_delay": config.retry_delay_seconds,
    }


def _set(name: str) -> bool:
    return bool(os.environ.get(name))
