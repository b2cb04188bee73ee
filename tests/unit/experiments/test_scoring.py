"""Scoring a question file: wrong rows are found before anything is computed, reports before what may fail."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from retrieval.config.schema import EvaluationConfig
from retrieval.errors import EvaluationError, SourceError, ValidationError
from retrieval.experiments import scoring
from retrieval.experiments.assessment import JudgedRuns
from retrieval.experiments.scoring import check_files, report_runs
from tests.helpers.trec_reader import read_trec
from tests.unit.evaluation.fixtures import corpus_of, question, run_of

ODD = ["Luật số 1 Điều 1", "a/b", "#1", "x?y=1", "50%", '"q"', "a, b", "法律1", "=1+1", "a|b", "a&b<c>", "a\u00a0b"]
CONFIG = EvaluationConfig(bootstrap_samples=50)


def found_of(ids: list[str]) -> JudgedRuns:
    ranked = dict.fromkeys(ids, ids)
    return JudgedRuns(tuple(question(one, one) for one in ids), (run_of(ranked, "bm25"), run_of(ranked, "dense")))


def files(folder: Path, corpus: str, questions: str) -> tuple[Path, Path]:
    (folder / "corpus.csv").write_text(corpus, encoding="utf-8")
    (folder / "questions.csv").write_text(questions, encoding="utf-8")
    return folder / "questions.csv", folder / "corpus.csv"


def test_every_file_of_a_report_holds_odd_ids_as_they_are(tmp_path):
    report = report_runs(tmp_path, found_of(ODD), corpus_of(*ODD), CONFIG, {}, 0)
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["queries"] == len(ODD)
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["qid"] for row in rows} == set(ODD)
    assert "a&amp;b&lt;c&gt;" in report.html
    assert read_trec(tmp_path / "run.bm25.trec").qids == tuple(ODD)
    judged = [line.split() for line in (tmp_path / "qrels.trec").read_text(encoding="utf-8").splitlines()]
    run = [line.split() for line in (tmp_path / "run.bm25.trec").read_text(encoding="utf-8").splitlines()]
    assert {line[2] for line in judged} == {line[2] for line in run}


def test_a_run_that_trec_cannot_hold_costs_neither_the_report_nor_the_other_runs(tmp_path, monkeypatch, caplog):
    write = scoring.write_trec

    def refusing(run, path, depth):
        if run.name == "bm25":
            raise EvaluationError("trec: no")
        write(run, path, depth)

    monkeypatch.setattr(scoring, "write_trec", refusing)
    report_runs(tmp_path, found_of(["a", "b"]), corpus_of("a", "b"), CONFIG, {}, 0)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"metrics.json", "predictions.csv", "failed_cases.csv", "report.html", "run.dense.trec"} <= names
    assert "run.bm25.trec: not written (trec: no); the report beside it is whole" in caplog.text


@pytest.mark.parametrize(
    ("corpus", "questions", "message"),
    [
        ("cid,text\n1,a\n", "qid,question,cid\nq,b,[2]\n", r"questions\.csv: row 2 \(qid q\): gold cid 2 is not in"),
        ("cid,text\n1,a\n1,b\n", "qid,question,cid\nq,b,[1]\n", r"corpus\.csv: row 3 repeats cid 1"),
        ("cid,text\n1,---\n", "qid,question,cid\nq,b,[1]\n", r"corpus\.csv: no letter or digit in the texts of 1 art"),
        ("cid,text\n1,&nbsp;\n", "qid,question,cid\nq,b,[1]\n", r"corpus\.csv: cid 1 has an empty text after"),
        (
            "cid,text\n1,a\n",
            "qid,question,cid\nq,<br>,[1]\n",
            r"questions\.csv: row 2 \(qid q\): question '<br>' has no letter",
        ),
    ],
)
def test_wrong_rows_are_found_before_a_corpus_is_embedded(tmp_path, corpus, questions, message):
    with pytest.raises(ValidationError, match=message):
        check_files(*files(tmp_path, corpus, questions), "error")


def test_of_a_retrievers_own_corpus_only_the_form_is_checked(tmp_path):
    questions, _ = files(tmp_path, "", "qid,question,cid\nq,b,[2]\n")
    check_files(questions, None, "error")
    questions.write_text("id,question,cid\nq,b,[2]\n")
    with pytest.raises(SourceError, match="lacks qid"):
        check_files(questions, None, "error")
