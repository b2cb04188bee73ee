"""Joining runs and choosing held-out queries."""

from __future__ import annotations

import numpy as np

from retrieval.config.schema import EvaluationConfig
from retrieval.experiments.assessment import JudgedRuns, held_out, joined, with_reranked
from retrieval.experiments.training_summary import summary_text
from retrieval.records import Article, Corpus, Dataset, Decision, Query, TrecRun

CIDS = ("a", "b")


def run(name: str, qid: str, rows: list[int], scores: list[float]) -> TrecRun:
    return TrecRun(name, (qid,), CIDS, np.array([rows], np.int32), np.array([scores], np.float32))


def test_joined_runs_pad_the_shorter_one() -> None:
    whole = joined([run("x", "q1", [0, 1], [2.0, 1.0]), run("x", "q2", [1], [3.0])])
    assert whole.qids == ("q1", "q2")
    assert [[hit.cid for hit in hits] for _, hits in whole] == [["a", "b"], ["b"]]
    assert whole.scores[1, 1] == -np.inf


def test_judged_runs_evaluate_each_run_and_select_by_name() -> None:
    queries = (Query("q1", "?", ("a",)),)
    found = JudgedRuns(queries, (run("good", "q1", [0, 1], [2.0, 1.0]), run("bad", "q1", [1, 0], [2.0, 1.0])))
    means = {name: one.mean["mrr@10"] for name, one in found.evaluations((10,)).items()}
    assert means == {"good": 1.0, "bad": 0.5}
    assert [one.name for one in found.select("bad", "good").runs] == ["bad", "good"]


def test_held_out_cuts_only_queries_made_from_titles_and_always_the_same() -> None:
    titles = [Query(f"t{n}", "x", ("a",), source="title", split="test") for n in range(20)]
    natural = [Query(f"n{n}", "x", ("a",), source="natural", split="test") for n in range(3)]
    dataset = Dataset(Corpus((Article("a", "", "x"),), ()), (*titles, *natural, Query("o", "x", ("a",), split="train")))
    chosen = held_out(dataset, "test", 5, seed=1)
    assert [query.source for query in chosen] == ["title"] * 5 + ["natural"] * 3
    assert chosen == held_out(dataset, "test", 5, seed=1)
    assert len(held_out(dataset, "test", 0, seed=1)) == 23


def test_runs_side_by_side_keep_the_baselines_and_take_the_retrievers_own_first_stage() -> None:
    queries = (Query("q1", "?", ("a",)),)
    first = JudgedRuns(queries, tuple(run(name, "q1", [0, 1], [2.0, 1.0]) for name in ("bm25", "mix", "hybrid")))
    own = JudgedRuns(
        queries, tuple(run(name, "q1", [1, 0], [2.0, 1.0]) for name in ("bm25", "dense", "hybrid", "reranked"))
    )
    together = with_reranked(first, own)
    assert [one.name for one in together.runs] == ["bm25", "mix", "hybrid", "reranked"]
    assert together.runs[0] == first.runs[0]
    assert together.runs[2].rows.tolist() == [[1, 0]]


def test_summary_tells_the_lead_over_the_mix_on_test_and_validation() -> None:
    def found(best: list[int]) -> JudgedRuns:
        runs = (run("mix", "q1", [1, 0], [2.0, 1.0]), run("reranked", "q1", best, [2.0, 1.0]))
        return JudgedRuns((Query("q1", "?", ("a",), source="natural"),), runs)

    config = EvaluationConfig(bootstrap_samples=50)
    text = summary_text(found([0, 1]), found([1, 0]), Decision("legal-retriever", True, ()), {}, config, seed=0)
    assert "reranked - mix, MRR@10: +0.500 [+0.500, +0.500] on test" in text
    assert "reranked - mix, MRR@10: +0.000 [+0.000, +0.000] on validation" in text
