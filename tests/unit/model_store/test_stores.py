"""Retrievers of several ZenML stores kept side by side: nothing is written over, and a name never means another one."""

from __future__ import annotations

import logging
import multiprocessing
import shutil
from pathlib import Path

import pytest

from retrieval.errors import ArtifactError
from retrieval.folders import verify_folder
from retrieval.model_store import (
    facts_of,
    keep,
    kept_folder,
    kept_retriever,
    kept_retrievers,
    record_stages,
    served_retriever,
)
from retrieval.model_store.folders import adopt
from tests.unit.search.small_retrievers import ONE, SIX, A, B, C, facts, retriever


@pytest.fixture
def six(tmp_path):
    return retriever(tmp_path / "six", SIX)


@pytest.fixture
def one(tmp_path):
    return retriever(tmp_path / "one", ONE)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "kept"


@pytest.fixture
def both(six, one, root):
    """Version 1 of store A, and a later version 1 of store B beside it."""
    return keep(six, "1", root, facts("1", A, 1)), keep(one, "1", root, facts("1", B, 2))


def test_version_1_of_another_store_is_kept_beside_the_one_that_is_there(both, root):
    first, second = both
    assert first == root / "1"
    assert second.name.startswith("1-")
    assert [facts_of(path)["store"] for path in both] == [A, B]
    for path in both:
        verify_folder(path)
    assert kept_folder("latest", root) == second


def test_the_same_again_is_found_again_and_is_the_newest(both, six, root, tmp_path):
    first, _ = both
    before = (first / "manifest.json").stat().st_mtime_ns
    assert keep(six, "1", root, facts("1", A, 9)) == first
    assert (first / "manifest.json").stat().st_mtime_ns == before
    assert facts_of(first) == facts("1", A, 1)
    assert len(kept_retrievers(root)) == 2
    assert kept_folder("latest", root) == first
    trained_again = retriever(tmp_path / "again", SIX, run="run-2")  # to the same weights
    assert keep(trained_again, "1", root, facts("1", A, 9)) == first


def test_the_same_content_of_another_store_has_a_folder_of_its_own(six, root):
    first, second = (keep(six, "1", root, facts("1", store)) for store in (A, B))
    assert first != second
    assert (first / "bi-encoder/weights").samefile(second / "bi-encoder/weights")
    assert keep(six, "1", root, facts("1", B)) == second


def test_a_number_that_a_store_gave_anew_means_what_it_has_now_and_the_older_one_stays(six, one, root):
    first, second = keep(six, "3", root, facts("3", A, 1)), keep(one, "3", root, facts("3", A, 2))
    record_stages({"production": "3"}, root, A)
    assert first != second
    verify_folder(first)
    assert kept_folder("3", root) == kept_folder("production", root) == second
    assert kept_folder(second.name, root) == second


def test_a_kept_folder_that_lost_a_file_is_made_whole_by_the_same_training(both, six, root):
    first, _ = both
    (first / "bi-encoder/weights").unlink()
    assert keep(six, "1", root, facts("1", A, 9)) == first
    verify_folder(first)
    assert facts_of(first) == facts("1", A, 1)


@pytest.mark.parametrize("damage", ["facts.json", "manifest.json"])
def test_a_damaged_folder_is_neither_written_over_nor_in_the_way(six, one, root, damage):
    first = keep(six, "1", root, facts("1", A))
    (first / damage).write_text("{")
    second = keep(one, "1", root, facts("1", B))
    assert second != first
    assert (first / damage).read_text() == "{"
    assert kept_folder("latest", root) == second
    record_stages({"production": "1"}, root, B)
    assert kept_folder("production", root) == second


def test_a_number_of_two_stores_is_the_store_in_use_s_or_refused_with_both_named(both, root):
    first, second = both
    assert kept_folder("1", root, lambda: A) == first
    assert kept_folder("1", root, lambda: B) == second
    assert kept_folder(second.name, root) == second
    for store in ("", C):
        with pytest.raises(ArtifactError) as raised:
            kept_folder("1", root, lambda store=store: store)
        for told in (str(first), str(second), "/a/zenml.db (aaaaaaaa)", "/b/zenml.db (bbbbbbbb)", f"--model {root}"):
            assert told in str(raised.value)
        assert "\n" not in str(raised.value)


def test_nobody_is_asked_where_a_name_is_plain(both, six, root):
    def ask() -> str:
        raise AssertionError("asked")

    keep(six, "2", root, facts("2", A, 3))
    record_stages({"production": "1"}, root, A)
    for name in ("2", "latest", "production", both[1].name):
        kept_folder(name, root, ask)
    assert served_retriever(root, ask).retriever.folder == both[0]


def test_what_is_done_in_one_store_moves_no_stage_of_another(both, root):
    first, second = both
    record_stages({"production": "1"}, root, A)
    record_stages({"staging": "1"}, root, B)
    for store in ("", A, B):
        assert kept_folder("production", root, lambda store=store: store) == first
        assert kept_folder("staging", root, lambda store=store: store) == second
        assert served_retriever(root, lambda store=store: store).retriever.folder == first
    record_stages({"production": "1"}, root, B)
    assert kept_folder("production", root, lambda: A) == first
    assert kept_folder("production", root, lambda: B) == second
    with pytest.raises(ArtifactError, match=r"a version in production is kept from 2 stores.*1 of .*aaaaaaaa.*1-"):
        served_retriever(root)
    record_stages({}, root, B)
    assert kept_folder("production", root) == first


def test_what_is_chosen_is_said_with_version_store_law_and_the_other_stores(both, root):
    for store in (A, B):
        record_stages({"production": "1"}, root, store)
    said = str(served_retriever(root, lambda: A))
    expected = "version 1 of sqlite:////a/zenml.db (aaaaaaaa), in production there, 2 articles of " + ", ".join(SIX)
    assert said == f"{expected}: {both[0]}; not {both[1]} of sqlite:////b/zenml.db (bbbbbbbb)"


def test_a_version_in_production_that_is_not_kept_is_never_another_store_s(both, root, caplog):
    record_stages({"production": "1"}, root, A)
    record_stages({"production": "7", "staging": "1"}, root, B)
    message = r"version 7 of store bbbbbbbb is in production but was not kept on this machine"
    with pytest.raises(ArtifactError, match=message):
        kept_folder("production", root, lambda: B)
    with caplog.at_level(logging.INFO):
        assert served_retriever(root, lambda: B).retriever.folder == both[1]
    assert "version 7 of store bbbbbbbb" in caplog.text
    record_stages({"production": "1"}, root, C)
    shutil.rmtree(both[0])
    with pytest.raises(ArtifactError, match=r"version 1 of store cccccccc .*not known to be of this one: .*/1-"):
        kept_folder("production", root, lambda: C)


def test_folders_of_before_stores_were_told_apart_are_found_as_they_were(six, root):
    """Only `1/`, ``latest.json`` and ``stages.json``, as they were written then."""
    shutil.copytree(six, root / "1")
    (root / "latest.json").write_text('{"version": "1"}')
    (root / "stages.json").write_text('{"production": "1"}')
    for name in ("1", "latest", "production"):
        assert kept_folder(name, root) == root / "1"
    (known,) = kept_retrievers(root)
    assert (known.version, known.store, known.fault) == ("1", "", "")
    (root / "latest.json").unlink()
    assert kept_folder("latest", root) == root / "1"


def test_notes_without_any_store_mean_the_folder_of_that_name(both, root):
    """As a checkout of before writes them over those of now."""
    (root / "stages.json").write_text('{"production": "1"}')
    assert kept_folder("production", root) == both[0]
    record_stages({}, root, B)  # from now on each store speaks for itself
    with pytest.raises(ArtifactError, match="no version is known to be in production"):
        kept_folder("production", root)


def test_another_store_takes_neither_folder_nor_stage_from_one_that_is_not_known(six, one, root):
    old = keep(six, "1", root)
    record_stages({"production": "1"}, root)
    new = keep(one, "1", root, facts("1", B))
    record_stages({"staging": "1"}, root, B)
    assert facts_of(old) == {"retriever": "1"}
    assert kept_folder("production", root, lambda: B) == old
    assert served_retriever(root, lambda: B).retriever.folder == old
    assert kept_folder("1", root, lambda: B) == new
    with pytest.raises(ArtifactError, match=f"{old} of a store that is not known"):
        kept_folder("1", root)


def test_an_old_folder_is_its_store_s_once_that_is_known_and_as_old_as_it_was(six, one, root):
    old = keep(six, "1", root, {"retriever": "1", "code": "abc"})
    record_stages({"production": "1", "staging": "5"}, root)
    (before,) = kept_retrievers(root)
    newer = keep(one, "2", root, facts("2", B))
    assert keep(six, "1", root, facts("1", A, 9)) == old  # a cached run after the update
    found = facts_of(old)
    assert (found["store"], found["code"], found["run"]) == (A, "abc", "training-a")
    assert next(one.kept for one in kept_retrievers(root) if one.folder == old) == before.kept
    verify_folder(old)
    record_stages({}, root, A)  # emptied there: nothing of before keeps it in production
    with pytest.raises(ArtifactError, match="no version is known to be in production"):
        kept_folder("production", root)
    assert newer.is_dir()


def test_a_store_is_noted_once_and_not_taken_away(six, root):
    old = keep(six, "1", root)
    (unknown,) = kept_retrievers(root)
    adopt(unknown, {"store": A, "store_url": "sqlite:////a"})
    adopt(unknown, {"store": B})
    assert facts_of(old)["store"] == A
    verify_folder(old)


def _keep(source: Path, root: Path, store: str, start: object) -> None:
    start.wait()
    keep(source, "1", root, facts("1", store))


def test_trainings_that_keep_at_once_do_not_touch_each_other(six, one, root):
    context = multiprocessing.get_context("fork")
    start = context.Barrier(4)
    work = [(six, A), (one, B), (six, A), (one, C)]
    workers = [context.Process(target=_keep, args=(source, root, store, start)) for source, store in work]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    known = kept_retrievers(root)
    assert sorted(one.store for one in known) == [A, B, C]
    for one_kept in known:
        verify_folder(one_kept.folder)
    assert {one_kept.name for one_kept in known} > {"1"}
    assert kept_retriever("latest", root).retriever in known


def test_a_disk_without_room_is_said_in_a_line(six, root, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("retrieval.model_store.folders.link_or_copy", full)
    with pytest.raises(ArtifactError, match=r"kept: version 1 could not be kept there \(No space left on device\)"):
        keep(six, "1", root, facts("1", A))
    assert kept_retrievers(root) == []
