"""Where steps are told to leave results, by the orchestrator that runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import launch


@pytest.mark.parametrize("typed", ["reports", "/elsewhere/reports"])
def test_steps_that_run_here_and_now_leave_results_where_it_was_typed(
    monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setattr(launch, "_flavor", lambda: "local")
    assert launch.folder_for_steps(Path(typed)) == typed


def test_steps_in_a_frozen_copy_of_the_project_leave_results_in_the_project_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(launch, "_flavor", lambda: "airflow")
    monkeypatch.chdir(tmp_path)
    assert launch.folder_for_steps(Path("reports")) == str(tmp_path / "reports")


def test_steps_whose_disk_goes_with_their_pod_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_flavor", lambda: "kubernetes")
    assert launch.folder_for_steps(Path("reports")) == ""
