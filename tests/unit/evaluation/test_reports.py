"""Reports: the files, what the page shows, the terminal table, and which failures come first."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from retrieval.config.schema import EvaluationConfig, GatesConfig
from retrieval.errors import EvaluationError
from retrieval.evaluation import plots
from retrieval.evaluation.cases import failed_cases
from retrieval.evaluation.gates import judge_retriever
from retrieval.evaluation.metrics import evaluate, judge
from retrieval.evaluation.reports import Extra, summary_table, write_report
from retrieval.evaluation.reranking import evaluate_reranking
from retrieval.evaluation.summary import measured_cutoffs
from retrieval.records import Decision, qrels_of
from tests.unit.evaluation.fixtures import corpus_of, question, run_of

CONFIG = EvaluationConfig(cutoffs=(1, 5), bootstrap_samples=200, failed_cases=10)
QUERIES = [
    question("right", "a"),
    question("third", "c", source="title"),
    question("missed", "z"),
    question("unsure", "y", source="title"),
    question("double", "b", "z"),
]
CORPUS = corpus_of("a", "b", "c", "d", "y", "z")
BM25 = run_of({query.qid: ["d", "c", "b", "a"] for query in QUERIES}, "bm25")
MAIN = run_of(
    {"right": ["a", "b"], "third": ["a", "b", "c"], "missed": ["a", "b"], "unsure": ["a", "b"], "double": ["a", "b"]},
    "reranked",
    {"right": [9, 1], "third": [9, 5, 2], "missed": [9, 1], "unsure": [2, 1], "double": [3, 2]},
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    extra = Extra(
        reranking=evaluate_reranking(MAIN, MAIN, qrels_of(QUERIES)),
        decision=Decision("legal-retriever", passed=False, reasons=("mrr@10 is below the floor",)),
        losses={"bi-encoder": [2.0, 1.0, 0.5]},
        lengths={"điều": [10, 20, 400]},
        facts={"Mô hình": "v1 <thử>"},
    )
    return write_report(tmp_path_factory.mktemp("report"), "Báo cáo thử", [BM25, MAIN], QUERIES, CORPUS, CONFIG, extra)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_report_folder_holds_the_four_files_and_nothing_else(report):
    names = {path.name for path in report.folder.iterdir()}
    assert names == {"metrics.json", "predictions.csv", "failed_cases.csv", "report.html"}


def test_other_files_in_the_folder_survive(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    write_report(tmp_path, "t", [BM25], QUERIES, CORPUS, CONFIG)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_metrics_json_holds_means_intervals_sources_and_differences(report):
    metrics = json.loads((report.folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics == report.metrics
    assert metrics["main_run"] == "reranked"
    mean = metrics["runs"]["reranked"]["mean"]["mrr@10"]
    assert mean == pytest.approx((1 + 1 / 3 + 0 + 0 + 1 / 2) / 5)
    low, high = metrics["runs"]["reranked"]["interval_95"]["mrr@10"]
    assert low < mean < high
    assert metrics["by_source"]["title"]["queries"] == 2
    assert metrics["by_source"]["title"]["runs"]["reranked"]["mrr@10"] == pytest.approx(1 / 6)
    gain = metrics["differences"]["reranked"]["mrr@10"]
    assert gain["mean"] == pytest.approx(mean - metrics["runs"]["bm25"]["mean"]["mrr@10"])
    assert "bm25" not in metrics["differences"]
    assert metrics["decision"]["passed"] is False


def test_undefined_values_are_null_in_metrics_json(tmp_path):
    run = run_of({"missed": ["a"]}, "reranked")
    extra = Extra(reranking=evaluate_reranking(run, run, qrels_of(QUERIES)))
    report = write_report(tmp_path, "t", [run], QUERIES, CORPUS, CONFIG, extra)
    assert json.loads((tmp_path / "metrics.json").read_text())["reranking"]["roc_auc"] is None
    assert "không xác định" in report.html


def test_predictions_mark_the_relevant_hits_of_the_main_run(report):
    rows = rows_of(report.folder / "predictions.csv")
    assert [(r["rank"], r["cid"], r["relevant"]) for r in rows if r["qid"] == "third"] == [
        ("1", "a", "0"), ("2", "b", "0"), ("3", "c", "1"),
    ]  # fmt: skip
    assert rows[0]["title"] == "Tiêu đề a"


def test_failed_cases_put_misses_first_and_the_most_confident_mistake_before_the_unsure(report):
    rows = rows_of(report.folder / "failed_cases.csv")
    assert [row["qid"] for row in rows] == ["missed", "unsure", "third", "double"]
    assert (rows[0]["gold_cid"], rows[0]["gold_rank"], rows[0]["came_instead_cid"]) == ("z", "", "a|b")
    assert (rows[3]["gold_cid"], rows[3]["gold_score"], rows[3]["came_instead_score"]) == ("b|z", "2|", "3")


def test_failed_cases_stop_at_the_limit_and_cope_with_runs_that_found_nothing():
    empty = run_of({query.qid: [] for query in QUERIES})
    judged = judge(empty, qrels_of(QUERIES))
    cases = failed_cases(empty, judged, QUERIES, CORPUS, limit=2)
    assert len(cases) == 2
    assert cases[0].instead == ()


def test_article_without_a_title_is_shown_by_the_start_of_its_body():
    cases = failed_cases(MAIN, judge(MAIN, qrels_of(QUERIES)), QUERIES, corpus_of("a", "b", titles=False), limit=9)
    assert cases[0].instead[0].heading.startswith("Nội dung của a Nội dung")
    assert cases[0].instead[0].heading.endswith("…")
    assert cases[0].gold[0].heading == "(không có trong kho văn bản)"


class _Page(HTMLParser):
    VOID = ("meta", "br", "img", "link", "input", "hr")

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.ids, self.addresses = [], set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        named = dict(attrs)
        self.ids += [named["id"]] if "id" in named else []
        self.addresses += [named[name] for name in ("src", "href", "xlink:href") if name in named]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_well_formed_self_contained_and_without_script(report):
    page = _Page()
    page.feed(report.html)
    assert page.open == []
    assert not page.tags & {"script", "link", "img", "iframe"}
    assert all(address.startswith("#") for address in page.addresses)
    assert len(page.ids) == len(set(page.ids))
    assert not re.search(r"@import|url\((?!#)", report.html)
    assert "prefers-color-scheme: dark" in report.html
    assert (report.folder / "report.html").read_text(encoding="utf-8") == report.html


@pytest.mark.parametrize(
    "words",
    [
        "Báo cáo thử", "v1 &lt;thử&gt;", "Kết luận: không đạt", "mrr@10 is below the floor", "So với BM25", "Recall@k",
        "Theo loại câu hỏi", "Tầng xếp hạng lại", "Quá trình huấn luyện", "Độ dài văn bản", "4 trường hợp tệ nhất",
        "Câu hỏi missed?", "Tiêu đề z", "bỏ sót", 'lang="vi"',
    ],
)  # fmt: skip
def test_page_shows(report, words):
    assert words in report.html


def test_question_text_cannot_break_the_page(tmp_path):
    nasty = [dataclasses.replace(QUERIES[2], text='<script>alert("x")</script>')]
    report = write_report(tmp_path, "t", [MAIN.select(["missed"])], nasty, CORPUS, CONFIG)
    assert "<script" not in report.html
    assert "&lt;script&gt;" in report.html


def test_same_runs_give_the_same_bytes(tmp_path):
    pages = [write_report(tmp_path / n, "t", [BM25, MAIN], QUERIES, CORPUS, CONFIG).html for n in ("one", "two")]
    assert pages[0] == pages[1]


def test_perfect_run_says_that_there_are_no_failures(tmp_path):
    run = MAIN.select(["right"])
    assert (
        "kết quả đầu tiên của mọi câu hỏi đều đúng" in write_report(tmp_path, "t", [run], QUERIES, CORPUS, CONFIG).html
    )


@pytest.mark.parametrize(
    ("runs", "extra", "message"),
    [
        ([], None, "give at least one"),
        ([BM25, BM25], None, "each with its own name"),
        ([BM25, MAIN.select(["right"])], None, "5 and 1 queries"),
        ([BM25], Extra(baseline="dense"), "baseline dense is not among the runs bm25"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused_before_anything_is_written(tmp_path, runs, extra, message):
    with pytest.raises(EvaluationError, match=message):
        write_report(tmp_path / "new", "t", runs, QUERIES, CORPUS, CONFIG, extra)
    assert not (tmp_path / "new").exists()


def test_unknown_query_of_a_run_is_named(tmp_path):
    with pytest.raises(EvaluationError, match="first: third"):
        write_report(tmp_path, "t", [MAIN], QUERIES[:1], CORPUS, CONFIG)


def test_summary_table_fits_100_columns_with_a_row_a_run():
    long = dataclasses.replace(MAIN, name="a-very-long-name-of-a-run")
    evaluations = [evaluate(run, qrels_of(QUERIES), [1, 10, 100]) for run in (BM25, MAIN, long)]
    lines = summary_table(evaluations, samples=500, seed=0).splitlines()
    assert max(map(len, lines)) <= 100
    assert [line.split()[0] for line in lines[2:5]] == ["bm25", "reranked", "a-very-long-n…"]
    assert lines[0].split() == ["MRR@10", "nDCG@10", "Recall@1", "Recall@10", "Recall@100"]
    assert "0.367" in lines[3]
    assert lines[5].startswith("5 queries")


def test_summary_table_writes_bounds_of_zero_and_one_within_the_column():
    run = run_of({"right": ["a"]}, "run")
    assert "1.000 1.00–1.00" in summary_table([evaluate(run, qrels_of(QUERIES), [1, 10, 100])], samples=10, seed=0)


@pytest.mark.parametrize(
    "svg",
    [
        plots.recall_curves({"BM25": np.linspace(0.5, 1, 100), "Xếp hạng lại": np.linspace(0.7, 1, 3)}),
        plots.score_histogram(np.array([0.9, 0.8]), np.array([0.1])),
        plots.score_histogram(np.array([]), np.array([])),
        plots.score_histogram(np.array([0.5]), np.array([0.5])),
        plots.loss_curve({"loss": np.linspace(3, 1, 200).tolist(), "none": []}),
        plots.length_histogram({"điều": [3, 5, 900], "none": []}),
        plots.value_histogram([0.5, 0.5, 3.0], "negatives", bins=11),
    ],
)
def test_plot_is_well_formed_svg_whose_colours_follow_the_page(svg):
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    assert "width" not in root.attrib
    assert "var(--ink, " in svg or "var(--muted, " in svg
    assert not re.search(r"(?<!, )#(1b2129|3d6fd1|5b6672)", svg)


def test_a_page_that_cannot_be_drawn_leaves_the_other_files(tmp_path, monkeypatch):
    def broken(*_: object) -> str:
        raise OSError("no font")

    monkeypatch.setattr(plots, "score_histogram", broken)
    with pytest.raises(OSError, match="no font"):
        write_report(tmp_path, "Báo cáo", [BM25, MAIN], QUERIES, CORPUS, CONFIG)
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.json", "predictions.csv", "failed_cases.csv"}


def test_the_ranks_that_gates_look_at_are_measured_whatever_is_asked_for():
    assert measured_cutoffs((1, 1000)) == [1, 10, 100, 1000]
    assert measured_cutoffs(()) == [1, 10, 100]
    found = {run.name: evaluate(run, qrels_of(QUERIES), measured_cutoffs((3,))) for run in (BM25, MAIN)}
    assert judge_retriever(GatesConfig(min_recall_at_100=0), found, None, 200, 0).values["recall@100"] >= 0
