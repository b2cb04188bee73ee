"""What an exported step becomes in Airflow."""

from __future__ import annotations

import ast
import shlex
import sys
from pathlib import Path

import pytest

from stacks.airflow import dag as airflow_dag
from stacks.airflow.dag import DagConfiguration, TaskConfiguration, build_dag, operator_arguments

ZENML_ENTRYPOINT = "zenml.entrypoints.step_entrypoint_configuration.StepEntrypointConfiguration"


def task(step: str = "train", upstream: tuple[str, ...] = (), **operator_args: object) -> TaskConfiguration:
    return TaskConfiguration(
        id=step,
        zenml_step_name=step,
        upstream_steps=list(upstream),
        docker_image="none:local",
        command=["python", "-m", "zenml.entrypoints.entrypoint"],
        arguments=["--entrypoint_config_source", ZENML_ENTRYPOINT, "--snapshot_id", "7", "--step_name", step],
        environment={"LEGAL_RETRIEVAL_CODE": "abc", "ZENML_STORE_API_TOKEN": "hush", "ZENML_ACTIVE_STACK_ID": "1"},
        operator_source="stand_in.Operator",
        operator_args={"python": "/project/.venv/bin/python", "cwd": "/frozen", **operator_args},
    )


def test_a_task_runs_the_projects_python_on_our_entry_to_the_step() -> None:
    arguments = operator_arguments(task())
    command = shlex.split(arguments["bash_command"])
    assert command[:4] == ["exec", "/project/.venv/bin/python", "-m", "zenml.entrypoints.entrypoint"]
    assert command[4:] == [
        "--entrypoint_config_source", "stacks.airflow.step.AirflowStep", "--snapshot_id", "7", "--step_name", "train",
    ]  # fmt: skip
    assert arguments["cwd"] == "/frozen"
    assert arguments["append_env"] is False


def test_a_task_gets_the_steps_variables_but_no_access_token_and_no_stack_that_would_be_written_down() -> None:
    environment = operator_arguments(task(env={"HOME": "/home/me"}))["env"]
    assert environment == {"LEGAL_RETRIEVAL_CODE": "abc", "HOME": "/home/me", "ZENML_AIRFLOW_RUN_ID": "{{ run_id }}"}
    assert "hush" not in task().model_dump_json()


def test_retries_reach_the_operator() -> None:
    arguments = operator_arguments(task(retries=3, retry_delay=90))
    assert (arguments["retries"], arguments["retry_delay"]) == (3, 90)


def test_the_file_imports_nothing_that_airflows_own_python_lacks() -> None:
    tree = ast.parse(Path(airflow_dag.__file__).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names) == {"pydantic"}


class StandInDag:
    def __init__(self, **arguments: object) -> None:
        self.arguments = arguments


class StandInOperator:
    def __init__(self, **arguments: object) -> None:
        self.name, self.before = arguments["task_id"], []

    def set_upstream(self, operators: list[StandInOperator]) -> None:
        self.before = [one.name for one in operators]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[StandInOperator]:
    made: list[StandInOperator] = []

    class Module:
        DAG = StandInDag

        @staticmethod
        def Operator(**arguments: object) -> StandInOperator:  # noqa: N802 - a class's name
            made.append(StandInOperator(**arguments))
            return made[-1]

    monkeypatch.setattr(airflow_dag, "import_module", lambda _name: Module)
    return made


def dag_configuration(schedule: str) -> DagConfiguration:
    tasks = [task("ingest"), task("train", ("ingest",)), task("embed", ("ingest", "train"))]
    return DagConfiguration(id="training-smoke", tasks=tasks, schedule=schedule, start_date="2026-01-02T03:04:05")


def test_tasks_wait_for_the_steps_before_them(stand_in: list[StandInOperator]) -> None:
    build_dag(dag_configuration("@once"))
    assert {one.name: one.before for one in stand_in} == {
        "ingest": [],
        "train": ["ingest"],
        "embed": ["ingest", "train"],
    }


@pytest.mark.parametrize(("given", "expected"), [("@once", None), ("0 2 * * 0", "0 2 * * 0")])
def test_a_dag_without_a_schedule_waits_to_be_triggered(
    stand_in: list[StandInOperator], given: str, expected: str | None
) -> None:
    assert stand_in == []
    arguments = build_dag(dag_configuration(given)).arguments
    assert arguments["schedule"] == expected
    assert arguments["start_date"].isoformat() == "2026-01-02T03:04:05+00:00"
