"""``python -m retrieval.search --list``: what is kept, from where, and what is served."""

from __future__ import annotations

import shutil

import pytest

from retrieval.model_store import keep, record_stages
from retrieval.model_store.folders import KEPT
from retrieval.model_store.listing import law_of, listing
from retrieval.search.__main__ import main
from tests.unit.search.small_retrievers import ONE, SIX, A, B, facts, retriever


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder that commands are typed in, version 1 of two stores kept in it, without anyone to ask."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("retrieval.search.__main__.refresh_stages", lambda: "")
    keep(retriever(tmp_path / "six", SIX), "1", KEPT, facts("1", A, 1))
    keep(retriever(tmp_path / "one", ONE), "1", KEPT, facts("1", B, 2))
    return KEPT


def test_nothing_kept_says_how_to_train(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--list"]) == 0
    assert "no trained retriever here; run `python run.py --pipeline training` first" in capsys.readouterr().out


def test_each_is_told_with_store_run_law_data_date_size_and_stages_and_which_one_is_served(here, capsys):
    record_stages({"production": "1"}, here, A)
    record_stages({"staging": "1"}, here, B)
    assert main(["--list"]) == 0
    newer, older, last = capsys.readouterr().out.strip().split("\n\n")
    assert newer.startswith("1-") and newer.splitlines()[0].endswith(", version 1, staging")
    assert older.splitlines()[0] == "1, version 1, production, served"
    for told in ("2 articles of " + ", ".join(SIX), "data of 2", "sqlite:////a/zenml.db (aaaaaaaa)", "training-a"):
        assert told in older
    assert "2026-01-02 03:01 UTC, 0 MB" in older
    for told in ("1 article of " + ONE[0], "data of 1", "sqlite:////b/zenml.db (bbbbbbbb)", "training-b"):
        assert told in newer
    name = newer.partition(",")[0]
    assert last == f"make serve takes 1 (production)\nsearch takes {name} (latest)"


def test_what_only_the_store_in_use_could_tell_is_said(here):
    for store in (A, B):
        record_stages({"production": "1"}, here, store)
    assert "make serve: a version in production is kept from 2 stores" in listing(here)
    assert "make serve takes 1 (production)" in listing(here, lambda: A)


def test_a_version_in_a_stage_that_is_not_kept_is_told_of(here):
    record_stages({"production": "4"}, here, A)
    assert "in production, but not kept here: version 4 of sqlite:////a/zenml.db (aaaaaaaa)" in listing(here)


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("facts.json", "{", r"facts.json: cannot be read"),
        ("facts.json", "[1]", r"facts.json: holds list, not an object; delete the version's folder and train again"),
        ("facts.json", b"\xff\xfe", r"facts.json: cannot be read"),
        ("manifest.json", "[]", "manifest.json: not a manifest"),
        ("manifest.json", None, "no manifest.json"),
        ("corpus/articles.parquet", "x", "articles cannot be read"),
        ("corpus/articles.parquet", None, "articles cannot be read"),
        ("bi-encoder/settings.json", "[]", "2 articles of"),
    ],
)
def test_what_is_damaged_is_a_line_and_the_others_are_listed(here, capsys, file, content, told):
    path = here / "1" / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["--list"]) == 0
    shown = capsys.readouterr().out
    assert told in shown
    assert ONE[0] in shown
    assert "search takes 1-" in shown


@pytest.mark.parametrize("file", ["latest.json", "stages.json"])
def test_damaged_notes_are_a_line_and_everything_is_listed(here, capsys, file):
    (here / file).write_text("[")
    assert main(["--list"]) == 0
    shown = capsys.readouterr().out
    assert f"{file}: cannot be read" in shown
    assert ONE[0] in shown and SIX[0] in shown


def test_an_old_folder_without_facts_is_listed(tmp_path):
    shutil.copytree(retriever(tmp_path / "six", SIX), tmp_path / "kept/1")
    (tmp_path / "kept/latest.json").write_text('{"version": "1"}')
    (tmp_path / "kept/stages.json").write_text('{"production": "1"}')
    shown = listing(tmp_path / "kept")
    assert "1, version 1, production, served\n" in shown
    assert "store  a store that is not known" in shown


def test_law_without_names_is_counted_and_many_names_are_cut(tmp_path):
    assert law_of(retriever(tmp_path / "plain", ("", ""))) == "2 articles"
    many = law_of(retriever(tmp_path / "many", tuple(f"Luật {n}" for n in range(9))))
    assert many == "9 articles of " + ", ".join(f"Luật {n}" for n in range(6)) + " and 3 more"


def test_a_search_needs_a_question_and_says_whose_retriever_answers(here, capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "no question; type one in quotes, or --list" in capsys.readouterr().err
    assert main(["Nghỉ phép?", "--model", "1"]) == 2
    assert "version 1 is kept from 2 stores" in capsys.readouterr().err
    assert main(["Nghỉ phép?"]) == 2  # nothing to search with in it
    assert "version 1 of sqlite:////b/zenml.db (bbbbbbbb), 1 article of" in capsys.readouterr().err
