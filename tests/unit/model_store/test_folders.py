"""Kept retrievers: where a version comes from, and damaged notes."""

from __future__ import annotations

import json

import pytest

from retrieval.errors import ArtifactError
from retrieval.folders import verify_folder, write_folder
from retrieval.model_store import facts_of, keep, kept_folder, record_stages


@pytest.fixture
def source(tmp_path):
    with write_folder(tmp_path / "source") as staging:
        (staging / "retriever.json").write_text("{}")
    return tmp_path / "source"


def test_facts_are_kept_in_the_folder_and_signed_by_its_manifest(source, tmp_path):
    kept = keep(source, "3", tmp_path / "root", {"retriever": "3", "code": "abc"})
    assert facts_of(kept) == {"retriever": "3", "code": "abc"}
    assert "facts.json" in json.loads((kept / "manifest.json").read_text())["files"]


def test_a_kept_folder_shares_files_with_its_source_and_leaves_it_as_it_was(source, tmp_path):
    manifest = (source / "manifest.json").read_bytes()
    kept = keep(source, "3", tmp_path / "root", {"retriever": "3"})
    assert (kept / "retriever.json").samefile(source / "retriever.json")
    assert (source / "manifest.json").read_bytes() == manifest
    verify_folder(source)
    verify_folder(kept)


def test_where_the_disk_has_no_links_a_kept_folder_is_a_copy(source, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    kept = keep(source, "3", tmp_path / "root")
    assert not (kept / "retriever.json").samefile(source / "retriever.json")
    verify_folder(kept)


def test_a_folder_kept_without_facts_says_its_version_and_another_nothing(source, tmp_path):
    assert facts_of(keep(source, "3", tmp_path / "root")) == {"retriever": "3"}
    assert facts_of(source) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"stages\.json: cannot be read .*; delete it; `python -m registry\.local\.stages` writes it anew"),
        ("[]", r"stages\.json: holds list, not an object; delete it; "),
        ('{"staging": ""}', r"no version is known to be in staging"),
    ],
)
def test_damaged_or_empty_notes_of_stages_are_told_of(source, tmp_path, content, message):
    root = tmp_path / "root"
    keep(source, "1", root)
    (root / "stages.json").write_text(content)
    with pytest.raises(ArtifactError, match=message):
        kept_folder("staging", root)
    record_stages({"staging": "1"}, root)
    assert kept_folder("staging", root) == root / "1"
