"""Records on their way to MLflow, with a tracking database of the test's own."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from retrieval.telemetry import telemetry_off
from tracking.connection import Tracker, refused
from tracking.runs import RunFacts, in_words, open_run
from tracking.spool import Spool, kept, send_kept

FACTS = RunFacts("zenml-1", "a run", "an experiment", {"zenml.stack": "local"})


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    telemetry_off()
    folder = tmp_path_factory.mktemp("mlflow")
    return Tracker("local", f"sqlite:///{folder}/mlflow.db", f"file:{folder}/artifacts")


def metric(name: str, value: float, step: int) -> dict[str, object]:
    return {"metric": name, "value": value, "step": step, "at": 1_000 + step}


def history(tracker: Tracker, name: str) -> dict[int, float]:
    run_id, _ = open_run(tracker, FACTS)
    found = tracker.client.get_metric_history(run_id, name)
    assert len({one.step for one in found}) == len(found)
    return {one.step: one.value for one in found}


def test_everything_put_is_in_mlflow_and_no_file_is_left(tracker: Tracker, tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.mkdir()
    (report / "page.html").write_text("trang")
    spool = Spool(tracker, FACTS, "step", tmp_path / "kept")
    spool.put(*(metric("loss", 1.0 / n, n) for n in range(1, 251)))
    spool.put({"param": "seed", "value": "7"}, {"tag": "data_version", "value": "d"}, {"status": "FINISHED"})
    spool.put_folder(report, "pages")
    assert spool.close() == ""
    assert history(tracker, "loss") == {n: 1.0 / n for n in range(1, 251)}
    run = tracker.client.get_run(open_run(tracker, FACTS)[0])
    assert (run.data.params["seed"], run.data.tags["data_version"], run.info.status) == ("7", "d", "FINISHED")
    assert Path(tracker.client.download_artifacts(run.info.run_id, "pages/page.html")).read_text() == "trang"
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_zenml_run_has_one_mlflow_run_whoever_opens_it(tracker: Tracker) -> None:
    assert open_run(tracker, FACTS) == open_run(tracker, FACTS)
    assert open_run(tracker, FACTS)[0] != open_run(tracker, RunFacts("zenml-2", "other", "an experiment"))[0]


def test_a_record_that_mlflow_refuses_does_not_hold_up_the_others(
    tracker: Tracker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tracker, FACTS, "step", tmp_path)
    spool.put({"param": "constant", "value": "1"})
    assert spool.close() == ""
    spool = Spool(tracker, FACTS, "step", tmp_path)
    spool.put(metric("after", 1.0, 1), {"param": "constant", "value": "2"}, metric("after", 2.0, 2))
    assert spool.close() == ""
    assert history(tracker, "after") == {1: 1.0, 2: 2.0}
    assert "MLflow refuses {'param': 'constant', 'value': '2'}" in caplog.text


def test_what_a_running_process_writes_is_left_to_it(tracker: Tracker, tmp_path: Path) -> None:
    spool = Spool(tracker, FACTS, "step", tmp_path)
    spool.put(metric("busy", 1.0, 1))
    assert kept(tmp_path) == []
    assert send_kept(tracker, tmp_path) == []
    assert spool.close() == ""


def test_a_file_for_another_mlflow_is_listed_and_left(tracker: Tracker, tmp_path: Path) -> None:
    other = Tracker("other", "http://127.0.0.1:9", None)
    line = '{"uri": "http://127.0.0.1:9", "facts": {"zenml_id": "z", "name": "n", "experiment": "e"}}\n'
    (tmp_path / "step.jsonl").write_text(line + '{"metric": "loss", "value": 1.0, "step": 1, "at": 1}\n')
    assert send_kept(tracker, tmp_path) == []
    assert kept(tmp_path) == [f"n: 1 metric, kept in {tmp_path}/step.jsonl for MLflow at {other.uri}"]


@pytest.mark.slow
def test_a_locked_tracking_database_keeps_what_is_measured_for_the_next_command(
    tracker: Tracker, tmp_path: Path
) -> None:
    open_run(tracker, FACTS)
    holder = sqlite3.connect(tracker.uri.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    spool = Spool(tracker, FACTS, "step", tmp_path)
    spool.put(metric("locked", 1.0, 1), {"status": "FINISHED"})
    assert spool.close() == "1 metric"
    holder.execute("ROLLBACK")
    holder.close()
    (line,) = send_kept(tracker, tmp_path)
    assert line.endswith("(a run): 1 metric")
    assert history(tracker, "locked") == {1: 1.0}


def test_only_answers_that_will_not_change_are_refusals(tracker: Tracker) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE

    assert refused(MlflowException("bad", INVALID_PARAMETER_VALUE))
    assert not refused(MlflowException("busy", TEMPORARILY_UNAVAILABLE))
    assert not refused(ConnectionError("refused"))


def test_counts_are_put_in_words() -> None:
    assert (
        in_words([metric("a", 1.0, 1), metric("a", 1.0, 2), {"folder": "x", "name": "y"}])
        == "2 metrics, 1 report folder"
    )
    assert in_words([{"status": "FINISHED"}]) == "the end of a run"
