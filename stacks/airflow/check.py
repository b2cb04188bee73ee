"""``python -m stacks.airflow.check``: has a real Airflow load and run the exported training pipeline, and looks at it.

Airflow is installed into an environment of its own. What is run is a copy of the project: what it leaves, like ZenML's
configuration and artifacts of the check, is kept apart from the user's and dropped at the end. The last lines say what
was seen; the exit code is 0 only if all of it is right.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from retrieval.errors import RetrievalError, StorageError
from retrieval.model_store import KEPT
from retrieval.names import RETRIEVER_SETTINGS
from stacks.airflow.frozen_code import freeze
from stacks.command import run_command, say

PROJECT = Path(__file__).resolve().parents[2]
CONSTRAINTS = PROJECT / "stacks/orchestrators/airflow-constraints.txt"
SCHEDULE, RETRIES = "0 2 * * 0", 2
FLOW = {
    "ingest_articles": ("preprocess_text",),
    "preprocess_text": ("segment_text",),
    "segment_text": ("split_queries",),
    "split_queries": ("validate_data", "train_bi_encoder", "embed_corpus_pretrained"),
    "train_bi_encoder": ("embed_corpus",),
    "embed_corpus": ("evaluate_bi_encoder", "mine_negatives"),
    "embed_corpus_pretrained": ("evaluate_bi_encoder",),
    "evaluate_bi_encoder": ("evaluate_cross_encoder",),
    "mine_negatives": ("train_cross_encoder",),
    "train_cross_encoder": ("evaluate_cross_encoder",),
    "evaluate_cross_encoder": ("gate_retriever", "export_reports"),
    "gate_retriever": ("register_versions",),
    "register_versions": ("keep_retriever",),
    "keep_retriever": ("notify_result",),
    "export_reports": ("notify_result",),
}
"""What must come before what in a training."""
_READ_DAGS = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
dags = {
    name: {
        "schedule": dag.schedule,
        "before": {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks},
        "retries": sorted({task.retries for task in dag.tasks}),
    }
    for name, dag in bag.dags.items()
}
print(json.dumps({"errors": bag.import_errors, "dags": dags}))
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Check; 0 if Airflow ran the pipeline well, else 1."""
    parser = argparse.ArgumentParser(prog="python -m stacks.airflow.check", description=__doc__)
    parser.add_argument(
        "--environment", type=Path, default=PROJECT / ".venv-airflow", help="where Airflow is installed"
    )
    parser.add_argument("--config", default="configs/smoke.yaml", help="configuration of the training")
    given = parser.parse_args(arguments)
    return run_command(lambda: _check(given.environment.absolute(), given.config))


def wrong_order(before: Mapping[str, Sequence[str]]) -> list[str]:
    """What a task graph breaks of the training's flow; empty where nothing.

    Args:
        before: The tasks directly before each task.
    """
    faults = [f"task {name} is missing" for name in {*FLOW, *_flat(FLOW)} - set(before)]
    for earlier, later in ((name, one) for name, after in FLOW.items() for one in after):
        if later in before and earlier not in _ancestors(later, before):
            faults.append(f"{later} does not wait for {earlier}")
    return sorted(faults)


def _check(environment: Path, config: str) -> int:
    install_airflow(environment)
    with tempfile.TemporaryDirectory(prefix="airflow-check-") as temporary:
        folder = Path(temporary)
        os.environ.update(sandbox(folder))
        project = freeze(PROJECT, folder / "project")
        say("1/3 exporting the pipeline")
        _run([sys.executable, "-m", "stacks.register", "airflow"], project)
        options = ["--config", config, "--stack", "airflow", "--set", f"orchestration.schedule={SCHEDULE}"]
        options += ["--set", f"orchestration.retries={RETRIES}", "--set", "orchestration.retry_delay_seconds=1"]
        _run([sys.executable, "run.py", "--pipeline", "training", *options], project)
        say("2/3 loading it in Airflow")
        _run([str(environment / "bin/airflow"), "db", "migrate"])
        name, dag = _loaded(environment, folder / "dags")
        say("3/3 running it in Airflow")
        _run([str(environment / "bin/airflow"), "dags", "test", name])
        seen = [*examine_run(set(dag["before"])), *left_behind(project)]
    say(f"DAG {name}: no import error, {len(dag['before'])} tasks in the training's order,")
    say(f"  schedule {dag['schedule']}, {RETRIES} retries a task; airflow dags test succeeded")
    for line in seen:
        say(line)
    return 0


def install_airflow(environment: Path) -> None:
    """Make the environment and install Airflow as pinned, unless that was done before."""
    done = environment / ".installed"
    pins = CONSTRAINTS.read_text(encoding="utf-8")
    if done.is_file() and done.read_text(encoding="utf-8") == pins:
        return
    say(f"installing Airflow into {environment} (some minutes the first time)")
    _run([sys.executable, "-m", "venv", str(environment)])
    pip = [str(environment / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--constraint", str(CONSTRAINTS), "apache-airflow"])
    done.write_text(pins, encoding="utf-8")


def examine_run(tasks: set[str]) -> list[str]:
    """Look at the newest run in ZenML.

    Args:
        tasks: Names of the steps it must have.

    Returns:
        What was seen, for people.

    Raises:
        StorageError: If a step is missing or failed, or an artifact is not what a step before it made.
    """
    from zenml.client import Client

    run = Client().list_pipeline_runs(sort_by="desc:created", size=1, hydrate=True).items[0]
    states = {name: step.status.value for name, step in run.steps.items()}
    if run.status.value != "completed" or set(states) != tasks or set(states.values()) != {"completed"}:
        raise StorageError(f"ZenML run {run.name} is {run.status.value}, its steps are {states}; all must be completed")
    made = {one.id: name for name, step in run.steps.items() for ones in step.outputs.values() for one in ones}
    read = {one.id for step in run.steps.values() for ones in step.inputs.values() for one in ones}
    if not read <= set(made):
        raise StorageError(f"ZenML run {run.name}: {len(read - set(made))} inputs were made by none of its steps")
    tries = [f"  {name} took {step.version} tries" for name, step in run.steps.items() if step.version > 1]
    return [
        f"ZenML run {run.name}: {len(states)} steps completed, started by Airflow's run {run.orchestrator_run_id}",
        f"  {len(made)} artifacts, {len(read)} of them read by later steps; each has its producer in this run",
        *tries,
    ]


def left_behind(project: Path) -> list[str]:
    """Look for what a training leaves in the project's folder.

    Args:
        project: From which the pipeline was exported.

    Returns:
        What was seen, for people.

    Raises:
        StorageError: If a report or the kept retriever is not there.
    """
    wanted = [project / f"reports/{name}/report.html" for name in ("bi-encoder", "cross-encoder")]
    wanted.append(project / KEPT / "1" / RETRIEVER_SETTINGS)
    if missing := [str(path) for path in wanted if not path.is_file()]:
        raise StorageError(f"the run is completed but left no {', '.join(missing)}; look at its last steps")
    return [f"  its reports and its retriever ({KEPT}/1) were left in the project's folder"]


def _loaded(environment: Path, dags: Path) -> tuple[str, dict[str, Any]]:
    printed = _run([str(environment / "bin/python"), "-c", _READ_DAGS, str(dags)])
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    if found["errors"] or len(found["dags"]) != 1:
        raise StorageError(f"{dags}: Airflow found the DAGs {list(found['dags'])} and the errors {found['errors']}")
    ((name, dag),) = found["dags"].items()
    faults = wrong_order(dag["before"])
    if dag["schedule"] != SCHEDULE or dag["retries"] != [RETRIES]:
        faults.append(f"schedule {dag['schedule']} and retries {dag['retries']}, not {SCHEDULE} and {[RETRIES]}")
    if faults:
        raise StorageError(f"DAG {name}: {'; '.join(faults)}")
    return name, dag


def sandbox(folder: Path) -> dict[str, str]:
    """Environment of an Airflow and a ZenML that know nothing of the user's.

    Args:
        folder: Holds everything they write.
    """
    return {
        "ZENML_CONFIG_PATH": str(folder / "zenml"),
        "ZENML_LOCAL_STORES_PATH": str(folder / "zenml/stores"),
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW_DAGS": str(folder / "dags"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }


def _run(command: Sequence[str], folder: Path = PROJECT) -> str:
    """Run in a folder, the project's unless another is given; gives what was printed.

    Raises:
        RetrievalError: If it failed; with the end of what it printed.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        shown = " ".join(command[:4])
        raise RetrievalError(f"{shown} ... ended with {done.returncode}:\n{(done.stdout + done.stderr)[-6000:]}")
    return done.stdout


def _ancestors(task: str, before: Mapping[str, Sequence[str]]) -> set[str]:
    direct = set(before.get(task, ()))
    return direct.union(*(_ancestors(one, before) for one in direct))


def _flat(flow: Mapping[str, Sequence[str]]) -> set[str]:
    return {one for after in flow.values() for one in after}


if __name__ == "__main__":
    sys.exit(main())
