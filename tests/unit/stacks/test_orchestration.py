"""What pipelines are given for an orchestrator that runs them by itself."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from retrieval.config.schema import Config, OrchestrationConfig
from retrieval.errors import ConfigError
from stacks.orchestration import read_settings, run_options

NIGHTLY = OrchestrationConfig(schedule="0 2 * * *", retries=3, retry_delay_seconds=90)


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    home = SimpleNamespace(config_directory=str(tmp_path / "zenml"), local_stores_path=str(tmp_path / "stores"))
    monkeypatch.setattr("stacks.orchestration.GlobalConfiguration", lambda: home)
    monkeypatch.setattr("stacks.orchestration.freeze", lambda _project, _folder: tmp_path / "frozen")
    return tmp_path / "frozen"


def test_a_run_in_the_foreground_is_given_nothing() -> None:
    assert run_options("local", "training", "training-smoke", NIGHTLY) == {}


@pytest.mark.parametrize("flavor", ["airflow", "kubernetes"])
def test_schedule_and_retries_come_from_the_configuration(flavor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_IMAGE", "registry.example/steps:1")
    options = run_options(flavor, "training", "training-smoke", NIGHTLY)
    assert options["schedule"].cron_expression == "0 2 * * *"
    assert options["schedule"].name.startswith("training-smoke-2")
    assert (options["retry"].max_retries, options["retry"].delay) == (3, 90)


def test_without_a_schedule_or_retries_neither_is_set() -> None:
    options = run_options("airflow", "training", "training-smoke", OrchestrationConfig(retries=0))
    assert "schedule" not in options
    assert "retry" not in options


def test_an_airflow_task_runs_this_python_in_the_frozen_code(frozen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    settings = run_options("airflow", "training", "training-smoke", NIGHTLY)["settings"]["orchestrator"]
    task = settings["operator_args"]
    assert settings["dag_id"] == "training-smoke"
    assert (task["python"], task["cwd"]) == (sys.executable, str(frozen))
    assert (task["retries"], task["retry_delay"]) == (3, 90)
    assert {"PATH", "ZENML_CONFIG_PATH", "ZENML_LOCAL_STORES_PATH", "LEGAL_RETRIEVAL_CHECKPOINTS"} <= set(task["env"])
    assert "hush" not in str(settings)


def test_a_missing_image_is_named_with_where_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIPELINE_IMAGE", raising=False)
    with pytest.raises(ConfigError, match=r"PIPELINE_IMAGE is not set: .*stacks/kubernetes/Dockerfile"):
        read_settings("kubernetes")


def test_a_schedule_has_five_fields() -> None:
    with pytest.raises(ValueError, match=r"orchestration.schedule: got 'daily'; a cron expression has five fields"):
        Config.model_validate({"orchestration": {"schedule": "daily"}})
