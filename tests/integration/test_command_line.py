"""run.py's own manners: one line for a mistake, exit code 2, and a Ctrl-C that can be taken up again."""

from __future__ import annotations

import errno
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from tests.integration.conftest import ROOT, Project


def typed(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_list_shows_each_pipeline_on_a_line() -> None:
    lines = typed("--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["data", "training", "evaluation", "promotion"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--pipeline", "trainig"], "trainig: no such pipeline; did you mean training?"),
        ([], "--pipeline is missing"),
        (["--pipeline", "data", "--bogus"], "unrecognized arguments: --bogus"),
        (["--pipeline", "data", "--config", "configs/smok.yaml"], "configs/smok.yaml: no such configuration file; did"),
        (["--pipeline", "data", "--set", "sead=1"], "unknown key sead; did you mean seed?"),
        (["--pipeline", "data", "--set", "data.source=cvs"], "got 'cvs'"),
        (["--pipeline", "data", "--set", "data.natural_questions=question.csv"], "did you mean questions.csv?"),
        (["--pipeline", "evaluation", "--set", "evaluation.questions=nowhere.csv"], "nowhere.csv: no such file"),
        (
            ["--pipeline", "evaluation", "--set", "evaluation.questions=configs"],
            "configs: is a folder; name a CSV file",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[str], expected: str) -> None:
    done = typed(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert expected in done.stderr


def test_a_path_typed_elsewhere_starts_from_there(tmp_path: Path) -> None:
    done = typed("--pipeline", "evaluation", "--set", "evaluation.questions=missing.csv", cwd=tmp_path)
    assert f"evaluation.questions: {tmp_path}/missing.csv: no such file" in done.stderr


def test_an_unknown_stack_is_one_line(trained: Project) -> None:
    done = trained.run("--pipeline", "data", "--stack", "locl", expect=2)
    assert done.stderr.splitlines()[-1] == "error: --stack locl: no such stack; did you mean local?"


def test_a_bad_row_names_file_and_row_without_a_traceback(trained: Project) -> None:
    (trained.folder / "bad.csv").write_text(
        'qid,question,cid\nq1,Hỏi gì?,"[""45/2019/QH14:9999""]"\n', encoding="utf-8"
    )
    done = trained.run("--pipeline", "evaluation", "--set", "evaluation.questions=bad.csv", expect=1)
    assert done.stderr.splitlines()[-1].startswith("error: bad.csv: row 2")
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("cross_encoder.layers=14", "error: cross_encoder.layers: got 14, but the bi-encoder has"),
        ("reports=questions.csv/mine", "error: reports: nothing can be written into"),
    ],
)
def test_what_a_training_would_fail_on_at_its_end_is_said_before_it_begins(
    trained: Project, key: str, expected: str
) -> None:
    runs = trained.query("select count(*) from pipeline_run")
    done = trained.train("--set", key, expect=2)
    assert done.stderr.splitlines()[-1].startswith(expected)
    assert "Traceback" not in done.stderr
    assert trained.query("select count(*) from pipeline_run") == runs


@pytest.mark.slow  # a training, killed and started again; unit tests prove the same bits
def test_an_interrupted_training_goes_on_from_its_checkpoint(trained: Project) -> None:
    longer = ("--set", "bi_encoder.training.max_steps=400", "--set", "bi_encoder.training.epochs=50")
    arguments = ("--pipeline", "training", "--config", "configs/smoke.yaml", *longer)
    checkpoints = trained.folder / ".cache/checkpoints"
    first = trained.start(*arguments)
    wait_for(lambda: list(checkpoints.glob("bi-encoder-*/step-*/manifest.json")), first)
    first.send_signal(signal.SIGINT)
    output, _ = first.communicate(timeout=300)
    assert first.returncode == 130, output
    assert "type the same command again" in output
    assert "Traceback" not in output
    assert list(checkpoints.glob("bi-encoder-*/step-*"))

    second = trained.start(*arguments)
    seen: list[str] = []
    for line in second.stdout or ():
        seen.append(line)
        if "resuming after step" in line:
            break
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=300)
    assert "resuming after step" in "".join(seen[-1:]), "".join(seen)


def test_a_store_that_stays_locked_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import run

    def locked(_: object) -> int:
        raise OperationalError("UPDATE model_version", {}, sqlite3.OperationalError("database is locked"))

    monkeypatch.setattr(run, "_run", locked)
    assert run.main(["--pipeline", "data"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ZenML's store ")
    assert line.endswith("is locked by another process; end what uses it (a database browser, a stopped run), and type"
                         " the same command again")  # fmt: skip


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error")), "ZenML's store "),
        (OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full")), "ZenML's store "),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/data.json"),
            "/x/data.json: nothing can be written there",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "a disk of this machine: nothing can be written there"),
    ],
)
def test_a_full_disk_under_what_zenml_writes_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, place: str
) -> None:
    import run

    def full(_: object) -> int:
        raise error

    monkeypatch.setattr(run, "_run", full)
    assert run.main(["--pipeline", "data"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {place}")
    assert line.endswith("; free some space on its disk, or give this user the right to write, and type the same"
                         " command again")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("held_seconds", "code"), [(3, 0), (600, 1)])
def test_a_store_locked_by_a_second_process_is_waited_for_and_then_told(
    trained: Project, held_seconds: float, code: int
) -> None:
    store = trained.home / "local_stores/default_zen_store/zenml.db"
    holder = sqlite3.connect(store, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(held_seconds, lambda: holder.execute("ROLLBACK"))
    release.start()
    try:
        done = trained.run("--pipeline", "data", "--config", "configs/smoke.yaml", expect=code)
    finally:
        release.cancel()
        holder.close()
    assert "Traceback" not in done.stderr
    assert ("is locked by another process" in done.stderr) == bool(code)
    trained.run("--pipeline", "data", "--config", "configs/smoke.yaml")


def wait_for(found: object, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 600
    while not found():  # type: ignore[operator]
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        assert time.monotonic() < deadline
        time.sleep(0.2)
