"""A folder for results is tried before a pipeline starts, and a report that cannot be copied out is said in a line."""

import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.preflight import folder_ready, place_ready
from retrieval.errors import ArtifactError, ConfigError
from steps.evaluation.export_reports import copy_report


def test_a_folder_is_made_and_left_empty(tmp_path):
    folder_ready("reports", tmp_path / "deep" / "er")

    assert list((tmp_path / "deep" / "er").iterdir()) == []


def test_a_file_in_the_way_and_a_place_that_takes_no_files_are_named_with_their_key(tmp_path):
    (tmp_path / "taken").write_text("x", encoding="utf-8")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(ConfigError, match=rf"^reports: nothing can be written into {folder} .*--set reports="):
            folder_ready("reports", folder)
    with pytest.raises(ConfigError, match=r"^evaluation\.output: nothing can be written into /proc/none"):
        folder_ready("evaluation.output", Path("/proc/none"))


def test_a_report_that_cannot_be_copied_says_where_to(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.html").write_text("x", encoding="utf-8")
    (tmp_path / "taken").write_text("x", encoding="utf-8")

    with pytest.raises(ArtifactError, match=rf"{tmp_path}/taken/mine: the report could not be copied there"):
        copy_report(SimpleNamespace(folder=tmp_path / "report"), tmp_path / "taken" / "mine")


def test_a_place_for_results_that_no_key_names_is_told_before_the_pipeline(tmp_path):
    place_ready(tmp_path / "models" / "legal-retriever")
    (tmp_path / "taken").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"^{tmp_path}/taken/models: nothing can be written there .*taken is a file"):
        place_ready(tmp_path / "taken" / "models")
    with pytest.raises(ConfigError, match=r"^/proc/none: nothing can be written there .*right to write there, or make"):
        place_ready(Path("/proc/none"))


def test_a_full_disk_is_told_before_the_pipeline(tmp_path, monkeypatch):
    def full(**_: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        folder_ready("reports", tmp_path)
