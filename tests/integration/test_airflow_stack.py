"""A real Airflow runs the exported training, also when one of its tasks is killed on the way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import psutil
import pytest

from tests.integration.conftest import ROOT, STEPS, Project

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


def wait_for_task(check: subprocess.Popen[str]) -> psutil.Process | None:
    """The task's process once its step has begun to train; None if the check ended before."""
    there = set((ROOT / ".cache/checkpoints").glob("cross-encoder-*"))
    while check.poll() is None:
        if set((ROOT / ".cache/checkpoints").glob("cross-encoder-*")) - there:
            for process in psutil.Process(check.pid).children(recursive=True):
                if process.is_running() and f"--step_name {KILLED}" in " ".join(process.cmdline()):
                    return process
        time.sleep(0.05)
    return None
