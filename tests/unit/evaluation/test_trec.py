"""TREC files: the form, the order they keep, and how they fail."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import EvaluationError
from retrieval.evaluation.trec import escaped, strictly_decreasing, write_qrels, write_trec
from retrieval.folders import write_file
from tests.helpers.trec_reader import read_trec, unescaped
from tests.unit.evaluation.fixtures import random_case, run_of


def test_file_holds_six_columns_ranked_from_one(tmp_path):
    write_trec(run_of({"q1": ["91/2015/QH13:8", "b"], "q2": []}, "bm25"), tmp_path / "run.trec")
    assert (tmp_path / "run.trec").read_text(encoding="utf-8") == "q1 Q0 91/2015/QH13:8 1 2 bm25\nq1 Q0 b 2 1 bm25\n"


def test_reading_gives_back_the_run_that_was_written(tmp_path):
    run, _ = random_case(1)
    write_trec(run, tmp_path / "run.trec")
    back = read_trec(tmp_path / "run.trec", run.qids)
    assert (back.name, back.qids) == (run.name, run.qids)
    assert [[hit.cid for hit in hits] for _, hits in back] == [[hit.cid for hit in hits] for _, hits in run]
    np.testing.assert_allclose(back.scores[:, :5], run.scores[:, :5])


def test_depth_cuts_every_query(tmp_path):
    run, _ = random_case(1)
    write_trec(run, tmp_path / "run.trec", depth=7)
    assert read_trec(tmp_path / "run.trec").rows.shape[1] == 7


def test_tied_scores_are_written_strictly_decreasing_so_order_is_kept(tmp_path):
    cids = [f"d{number}" for number in range(100)]  # by id alone, a reader would sort d99 before d0
    run = run_of({"q": cids}, scores={"q": [0.73] * 60 + [0.0] * 40})
    write_trec(run, tmp_path / "run.trec")
    scores = [np.float32(line.split()[4]) for line in (tmp_path / "run.trec").read_text().splitlines()]
    assert (np.diff(scores) < 0).all()
    assert [hit.cid for hit in read_trec(tmp_path / "run.trec").hits(0)] == cids


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 1e-30, 17.3, -3e5, 3e38])
def test_tie_breaking_lowers_by_the_least_and_always_lowers(value):
    tied = np.full((2, 100), value, np.float32)
    broken = strictly_decreasing(tied)
    assert (np.diff(broken.astype(np.float64), axis=1) < 0).all()
    np.testing.assert_allclose(broken, tied, rtol=2e-5, atol=1e-10)


def test_scores_without_ties_are_not_touched():
    scores = np.array([[3.0, 2.5, -1.0]], np.float32)
    assert (strictly_decreasing(scores) == scores).all()


def test_failed_write_leaves_the_older_file_and_no_trace(tmp_path):
    write_trec(run_of({"q": ["a"]}), tmp_path / "run.trec")
    before = (tmp_path / "run.trec").read_bytes()
    broken = dataclasses.replace(run_of({"q": ["a", "b"]}), scores=np.array([[np.inf, 1]], np.float32))
    with pytest.raises(EvaluationError, match="infinite score"):
        write_trec(broken, tmp_path / "run.trec")
    assert [path.name for path in tmp_path.iterdir()] == ["run.trec"]
    assert (tmp_path / "run.trec").read_bytes() == before


def test_writing_cut_short_leaves_the_older_file_and_no_trace(tmp_path):
    def full_disk(path):
        with write_file(path) as staging:
            staging.write_text("half")
            raise OSError("no space left")

    (tmp_path / "run.trec").write_text("whole")
    with pytest.raises(OSError, match="no space left"):
        full_disk(tmp_path / "run.trec")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["whole"]


ODD = [
    "Luật số 1",
    "a%20b",
    "100%",
    "a\u00a0b",
    "a\tb",
    "#1",
    "a\u2028b",
    "a\x85b",
    "điều/1?x=y",
    '"q, r"',
    "%zz",
    "é%",
]


def test_ids_and_tags_with_spaces_stay_one_column_and_are_read_back(tmp_path):
    run = run_of(dict.fromkeys(ODD, ODD), "my run")
    write_trec(run, tmp_path / "run.trec")
    lines = (tmp_path / "run.trec").read_text(encoding="utf-8").splitlines()
    assert {len(line.split()) for line in lines} == {6}
    assert len(lines) == len(ODD) ** 2
    back = read_trec(tmp_path / "run.trec")
    assert (back.name, list(back.qids)) == ("my run", ODD)
    assert [[hit.cid for hit in hits] for _, hits in back] == [ODD] * len(ODD)


def test_a_space_is_written_as_in_addresses_and_other_letters_as_they_are():
    assert escaped("45/2019/QH14 Điều 113") == "45/2019/QH14%20Điều%20113"
    assert escaped("100%") == "100%25"


@given(st.text())
def test_any_text_is_one_column_and_comes_back(text):
    if all(one < "\ud800" or one > "\udfff" for one in text):
        assert unescaped(escaped(text)) == text
        assert len(escaped(text).split()) == bool(text)


@pytest.mark.parametrize("word", ["100%", "%", "%zz", "%ff", "a%e9b"])
def test_a_word_of_another_tool_that_is_not_escaped_is_read_as_it_is(word):
    assert unescaped(word) == word


def test_judgements_use_the_same_words_as_runs(tmp_path):
    write_qrels({"q 1": {"b%", "a b"}, "q2": {"c"}}, tmp_path / "qrels.trec")
    assert (tmp_path / "qrels.trec").read_text(encoding="utf-8") == "q%201 0 a%20b 1\nq%201 0 b%25 1\nq2 0 c 1\n"


@pytest.mark.parametrize(
    ("run", "what"),
    [
        (run_of({"q": ["a"]}, ""), "tag ''"),
        (run_of({"": ["a"]}), "query id ''"),
        (run_of({"q": [""]}), "article id ''"),
    ],
)
def test_an_empty_word_is_refused(tmp_path, run, what):
    with pytest.raises(EvaluationError, match=what):
        write_trec(run, tmp_path / "run.trec")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q Q0 a 1 0.5\n", "row 1 has 5 columns"),
        ("q Q0 a 1 0.5 t\nq Q0 b 2 high t\n", "row 2: score 'high' is not a number"),
        ("q Q0 a 1 0.5 t\nq Q0 a 2 0.4 t\n", "row 2 repeats article a for query q"),
    ],
)
def test_bad_row_is_named(tmp_path, text, message):
    (tmp_path / "bad.trec").write_text(text)
    with pytest.raises(EvaluationError, match=message):
        read_trec(tmp_path / "bad.trec")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(EvaluationError, match=r"nowhere\.trec: no such run file"):
        read_trec(tmp_path / "nowhere.trec")


def test_hits_are_sorted_by_score_whatever_the_order_of_rows(tmp_path):
    (tmp_path / "run.trec").write_text("q Q0 a 2 0.1 t\nq Q0 b 1 0.9 t\n")
    assert [hit.cid for hit in read_trec(tmp_path / "run.trec").hits(0)] == ["b", "a"]
