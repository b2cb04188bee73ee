"""A real Airflow runs the exported training, also when one of its tasks is killed on the way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from stacks.airflow.check import install_airflow, sandbox
from tests.integration.conftest import ROOT, STEPS, Project, copy_project

AIRFLOW = ROOT / ".venv-airflow"
GATES = """
import json
from zenml.client import Client
import materializers.reports
runs = Client().list_pipeline_runs(pipeline_name="training", sort_by="asc:created", hydrate=True).items
gates = [run.steps["gate_retriever"] for run in runs]
seen = [(one.run_metadata["production_version"], one.outputs["decision"][0].load().reasons[-1]) for one in gates]
print(json.dumps(seen))
"""
"""Prints, for each training, the oldest first, what its gate found in production and its last reason."""
KILLED = "train_cross_encoder"


@pytest.mark.slow  # a whole smoke run of its own and two exports
def test_a_cached_training_is_exported_whole_and_a_second_export_takes_the_firsts_place(
    trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_DAGS", str(tmp_path))
    trained.python("-m", "stacks.register", "airflow")
    before = trained.versions()
    for schedule in ("0 2 * * 0", "0 3 * * 0"):
        done = trained.train("--stack", "airflow", "--set", f"orchestration.schedule={schedule}")
        assert f"DAG training-smoke written to {tmp_path}/training-smoke.zip" in done.stdout
    (written,) = tmp_path.iterdir()
    with zipfile.ZipFile(written) as archive:
        dag = json.loads(archive.read("config.json"))
    assert {task["id"] for task in dag["tasks"]} == set(STEPS)
    assert dag["schedule"] == "0 3 * * 0"
    (frozen,) = {task["operator_args"]["cwd"] for task in dag["tasks"]}
    assert (Path(frozen) / "questions.csv").read_bytes() == (trained.folder / "questions.csv").read_bytes()
    assert trained.query("select cron_expression from schedule where not is_archived") == [("0 3 * * 0",)]
    assert trained.versions() == before


def test_promotion_is_refused_where_pipelines_run_later(
    trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_DAGS", str(tmp_path))
    trained.python("-m", "stacks.register", "airflow")
    done = trained.run("--pipeline", "promotion", "--stack", "airflow", expect=2)
    assert done.stderr.splitlines()[-1].startswith("error: promotion happens at once and here, not on airflow")


@pytest.mark.slow
def test_airflow_runs_the_exported_training_to_success_although_a_task_is_killed() -> None:
    check = subprocess.Popen(
        [sys.executable, "-m", "stacks.airflow.check"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    task = wait_for_task(check)
    if task is not None:
        task.kill()
    output, _ = check.communicate()
    assert check.returncode == 0, output
    assert task is not None, f"{KILLED} was never seen running:\n{output}"
    assert f"no import error, {len(STEPS)} tasks in the training's order" in output
    assert f"{len(STEPS)} steps completed, started by Airflow's run manual__" in output
    assert f"  {KILLED} took 2 tries" in output.splitlines()


@pytest.mark.slow  # two runs of a real Airflow
def test_a_training_that_airflow_repeats_is_gated_against_what_was_promoted_since_and_both_can_be_bundled(
    tmp_path: Path,
) -> None:
    install_airflow(AIRFLOW)
    variables = {name: value for name, value in sandbox(tmp_path).items() if not name.startswith("ZENML_")}
    project = Project(tmp_path / "copy", tmp_path / "zenml", {**variables, "PYTHONPATH": str(ROOT)})
    copy_project(project.folder)
    write_questions(tmp_path, 60)
    project.python("-m", "stacks.register", "airflow")
    data = ("source=csv", f"corpus={tmp_path}/law.csv", f"questions={tmp_path}/asked.csv")
    options = [word for item in data for word in ("--set", f"data.{item}")]
    project.train("--stack", "airflow", "--set", "orchestration.schedule=0 2 * * 0", *options)
    frozen = (tmp_path / "dags/training-smoke.zip").read_bytes()
    in_airflow(project, "db", "migrate")

    in_airflow(project, "dags", "test", "training-smoke")
    project.run("--pipeline", "promotion", "--config", "configs/smoke.yaml", "--stack", "local")
    write_questions(tmp_path, 80)  # the next week's
    in_airflow(project, "dags", "test", "training-smoke")

    assert (tmp_path / "dags/training-smoke.zip").read_bytes() == frozen
    (project.folder / "gates.py").write_text(GATES, encoding="utf-8")
    first, second = json.loads(project.python("gates.py").stdout.splitlines()[-1])
    assert (first[0], second[0]) == ("none", "1")
    assert first[1].startswith("no production version yet")
    assert second[1].startswith("against production in mrr@10")
    for model, folder in (("production", "1"), ("latest", "2")):
        out = tmp_path / model
        done = project.python("-m", "deployment.bundle", "--model", model, "--to", str(out))
        assert f"made from models/legal-retriever/{folder}" in done.stdout
    assert (project.folder / "reports/cross-encoder/report.html").is_file()
    assert not list((project.home / "local_stores/airflow_code").glob("*/models"))


def write_questions(folder: Path, count: int) -> None:
    """A law of forty articles, and questions about it."""
    articles = [f"Điều {number} quy định về việc số {number} của người lao động." for number in range(40)]
    rows = [f"{number},{text}" for number, text in enumerate(articles)]
    (folder / "law.csv").write_text("\n".join(["cid,text", *rows]) + "\n", encoding="utf-8")
    asked = [f"q{number},Lần {number}: việc số {number % 40} thế nào?,[{number % 40}]" for number in range(count)]
    (folder / "asked.csv").write_text("\n".join(["qid,question,cid", *asked]) + "\n", encoding="utf-8")


def in_airflow(project: Project, *arguments: str) -> None:
    command = [str(AIRFLOW / "bin/airflow"), *arguments]
    done = subprocess.run(
        command, cwd=project.folder, env=project.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


def wait_for_task(check: subprocess.Popen[str]) -> psutil.Process | None:
    """The task's process once its step has begun to train; None if the check ended before."""
    while check.poll() is None:
        for process in psutil.Process(check.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied, KeyError):
                if f"--step_name {KILLED}" in " ".join(process.cmdline()):
                    checkpoints = Path(process.environ()["LEGAL_RETRIEVAL_CHECKPOINTS"])
                    if list(checkpoints.glob("cross-encoder-*")):
                        return process
        time.sleep(0.05)
    return None
