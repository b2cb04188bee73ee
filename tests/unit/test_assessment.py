"""Joining runs and choosing held-out queries."""

from __future__ import annotations

import numpy as np

from retrieval.assessment import JudgedRuns, held_out, joined
from retrieval.records import Article, Corpus, Dataset, Query, Run

CIDS = ("a", "b")


def run(name: str, qid: str, rows: list[int], scores: list[float]) -> Run:
    return Run(name, (qid,), CIDS, np.array([rows], np.int32), np.array([scores], np.float32))


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
