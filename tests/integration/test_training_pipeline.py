"""The smoke configuration from end to end: artifacts, versions, caching, evaluation and promotion."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3

import pytest
import yaml

from tests.integration.conftest import ALWAYS, STEPS, FirstRun, Project

QUESTIONS = """qid,question,cid
a1,Người lao động được nghỉ phép năm bao nhiêu ngày?,"[""45/2019/QH14:113""]"
a2,Thời gian thử việc tối đa là bao lâu?,"[""45/2019/QH14:25""]"
"""
CORPUS = """cid,text
1,Người lao động làm việc đủ 12 tháng thì được nghỉ hằng năm 12 ngày làm việc.
2,Thời gian thử việc không quá 60 ngày đối với chức danh cần trình độ cao đẳng trở lên.
3,Tiền lương làm thêm giờ vào ban đêm được trả thêm ít nhất 30 phần trăm.
"""


def active_stack(project: Project) -> str:
    stack = yaml.safe_load((project.home / "config.yaml").read_text())["active_stack_id"]
    ((name,),) = project.query(f"select name from stack where id = '{stack.replace('-', '')}'")
    return name


def test_first_run_makes_staged_versions_reports_and_a_table(trained: Project, first_run: FirstRun) -> None:
    assert first_run.recomputed == set(STEPS)
    assert first_run.versions == {
        ("legal-bi-encoder", "1", "staging"),
        ("legal-cross-encoder", "1", "staging"),
        ("legal-retriever", "1", "staging"),
    }
    for name in ("bi-encoder", "cross-encoder"):
        metrics = json.loads((trained.folder / "reports" / name / "metrics.json").read_text())
        assert metrics["queries"] > 0
        assert "<script" not in (trained.folder / "reports" / name / "report.html").read_text()
    for row in ("bm25", "zero-shot", "mix", "trained", "hybrid", "reranked", "Gate: passed", "Next"):
        assert f"\n{row}" in first_run.output
    assert (trained.folder / "models/legal-retriever/1/retriever.json").is_file()


def test_a_question_is_answered_with_ranked_articles_of_the_kept_retriever(trained: Project) -> None:
    done = trained.python("-m", "retrieval.search", "Thời gian thử việc tối đa là bao lâu?", "--top", "4")
    headings = re.findall(r"^ ?(\d+)\. \[(-?[\d.]+)\] (45/2019/QH14:\d+)  \S", done.stdout, flags=re.MULTILINE)
    assert [position for position, _, _ in headings] == ["1", "2", "3", "4"]
    scores = [float(score) for _, score, _ in headings]
    assert scores == sorted(scores, reverse=True)
    assert len({cid for _, _, cid in headings}) == 4
    assert done.stdout.count("Bộ luật Lao động 2019") >= 4


def test_an_empty_question_and_an_unknown_version_are_one_line(trained: Project) -> None:
    for arguments, expected in ((["  "], "question 1 is empty"), (["Ai?", "--model", "99"], "kept here: 1")):
        done = trained.python("-m", "retrieval.search", *arguments, expect=2)
        assert expected in done.stderr
        assert "Traceback" not in done.stderr


def test_the_run_takes_the_local_stack_and_leaves_the_active_one(trained: Project) -> None:
    assert active_stack(trained) == "default"
    of_runs = "pipeline_snapshot p join pipeline_run r on r.snapshot_id = p.id join stack s on s.id = p.stack_id"
    assert trained.query(f"select s.name from {of_runs} order by r.created limit 1") == [("local",)]


def test_no_artifact_is_a_pickle_and_each_has_a_content_hash_and_a_picture(trained: Project) -> None:
    files = [path for path in (trained.home / "local_stores").rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in {".pkl", ".pickle", ".joblib", ".pt"}]
    rows = trained.query(
        "select a.name, v.content_hash, count(p.id) from artifact_version v join artifact a on a.id = v.artifact_id"
        " left join artifact_visualization p on p.artifact_version_id = v.id group by v.id"
    )
    assert {name for name, content_hash, _ in rows if not content_hash} == set()
    assert {name for name, _, pictures in rows if not pictures} <= {
        "versions",
        "summary",
        "kept_retriever",
        "report_pages",
        "report_page",
    }


def test_tracked_metrics_are_in_mlflow(trained: Project) -> None:
    (database,) = (trained.home / "local_stores").rglob("mlflow.db")
    with sqlite3.connect(database) as connection:
        keys = {key for (key,) in connection.execute("select distinct key from metrics")}
        parameters = {key for (key,) in connection.execute("select distinct key from params")}
    assert {"bi_encoder/train_loss", "cross_encoder/train_loss", "test/reranked/mrr_at_10"} <= keys
    assert "bi_encoder.training.learning_rate" in parameters


def test_second_run_computes_nothing_makes_no_version_and_puts_deleted_results_back(
    trained: Project, first_run: FirstRun
) -> None:
    before, kept = trained.versions(), trained.folder / "models/legal-retriever/1"
    facts = json.loads((kept / "facts.json").read_text())
    for folder in (kept, trained.folder / "reports"):
        shutil.rmtree(folder)
    done = trained.train()
    assert trained.recomputed() == ALWAYS
    assert trained.versions() == before
    ends = [output[output.rindex("\nReports\n") :] for output in (first_run.output, done.stdout)]
    assert ends[0] == ends[1]
    assert f"\nRetriever kept in {kept.relative_to(trained.folder)}\n" in ends[1]
    assert {**json.loads((kept / "facts.json").read_text()), "kept": facts["kept"]} == facts
    for name in ("bi-encoder", "cross-encoder"):
        assert (trained.folder / "reports" / name / "report.html").is_file()


def test_a_changed_library_function_recomputes_exactly_the_steps_that_reach_it(trained: Project) -> None:
    trained.replace("retrieval/search/fusion.py", "start + 64", "start + 32 + 32")
    trained.replace("retrieval/data/cleaning.py", "from __future__", "# A comment changes nothing.\nfrom __future__")
    trained.train()
    # what they give is the same to the last bit, so nothing is recomputed for reading it
    assert trained.recomputed() == {"evaluate_bi_encoder", "evaluate_cross_encoder", *ALWAYS}


def test_a_changed_input_file_is_read_again_and_the_same_content_stops_there(trained: Project) -> None:
    path = trained.folder / "questions.csv"
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    trained.run("--pipeline", "data", "--config", "configs/smoke.yaml")
    assert trained.recomputed() == {"ingest_articles"}


def test_a_changed_key_recomputes_only_what_reads_it(trained: Project) -> None:
    trained.run("--pipeline", "data", "--config", "configs/smoke.yaml", "--set", "data.train_share=0.6")
    assert trained.recomputed() == {"split_queries", "validate_data"}


def test_a_dataset_that_does_not_hold_together_is_refused_before_anything_is_trained(trained: Project) -> None:
    rows = [f"{number},Điều {number} quy định về việc số {number} của người lao động." for number in range(40)]
    (trained.folder / "hollow.csv").write_text("\n".join(["cid,text", *rows, "40,<br>"]) + "\n", encoding="utf-8")
    asked = [f"q{number},Việc số {number} thế nào?,[{number}]" for number in range(40)]
    (trained.folder / "asked.csv").write_text("\n".join(["qid,question,cid", *asked]) + "\n", encoding="utf-8")
    files = ("--set", "data.corpus=hollow.csv", "--set", "data.questions=asked.csv")
    done = trained.train("--set", "data.source=csv", *files, expect=1)
    assert "hollow.csv: article 41 (cid 40) has an empty text after cleaning" in done.stderr
    assert "Traceback" not in done.stderr
    assert {"train_bi_encoder", "embed_corpus_pretrained"}.isdisjoint(trained.steps())


def test_evaluation_writes_reports_and_runs_100_deep(trained: Project) -> None:
    (trained.folder / "asked.csv").write_text(QUESTIONS, encoding="utf-8")
    arguments = ("--set", "evaluation.questions=asked.csv", "--set", "evaluation.output=scored")
    done = trained.run("--pipeline", "evaluation", *arguments)
    assert "legal-retriever 1 on asked.csv" in done.stdout
    for stage in ("bm25", "dense", "hybrid", "reranked"):
        lines = [line.split() for line in (trained.folder / f"scored/run.{stage}.trec").read_text().splitlines()]
        assert {line[0] for line in lines} == {"a1", "a2"}
        assert {line[5] for line in lines} == {stage}
        assert max(int(line[3]) for line in lines) == 100
    for name in ("metrics.json", "predictions.csv", "failed_cases.csv", "report.html"):
        assert (trained.folder / "scored" / name).is_file()


@pytest.mark.slow  # segments, embeds and indexes another corpus
def test_evaluation_takes_another_corpus(trained: Project) -> None:
    (trained.folder / "law.csv").write_text(CORPUS, encoding="utf-8")
    asked = 'qid,question,cid\nb1,Nghỉ hằng năm mấy ngày?,[1]\nb2,Làm đêm được trả thêm bao nhiêu?,"[3]"\n'
    (trained.folder / "other.csv").write_text(asked, encoding="utf-8")
    files = ("--set", "evaluation.questions=other.csv", "--set", "evaluation.corpus=law.csv")
    trained.run("--pipeline", "evaluation", *files, "--set", "evaluation.output=elsewhere")
    lines = (trained.folder / "elsewhere/run.dense.trec").read_text().splitlines()
    assert {line.split()[2] for line in lines} == {"1", "2", "3"}


@pytest.mark.slow  # three promotions and a training; test_promotion.py has the same on small runs
def test_promotion_moves_all_three_models_once_and_the_next_training_compares_with_it(trained: Project) -> None:
    trained.run("--pipeline", "promotion", "--config", "configs/smoke.yaml")
    stages = {(model, stage) for model, _, stage in trained.versions()}
    assert stages == {(f"legal-{name}", "production") for name in ("bi-encoder", "cross-encoder", "retriever")}
    before = trained.versions()
    done = trained.train()
    assert "against production" in done.stdout
    assert trained.recomputed() == {"register_versions", "notify_result", *ALWAYS}
    assert trained.versions() == before
    assert "in production already" in trained.run("--pipeline", "promotion", "--set", "promotion.version=1").stdout
    refused = trained.run("--pipeline", "promotion", "--set", "promotion.rollback=true", expect=2)
    assert "the first in production" in refused.stderr
