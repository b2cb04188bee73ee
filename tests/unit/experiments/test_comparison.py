"""Production is compared on the candidate's questions: as it was tested, or asked anew where the questions differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retrieval.experiments.assessment import JudgedRuns
from retrieval.experiments.comparison import evaluation_on_same_questions
from retrieval.records import Query, TrecRun

CIDS = ("L:0", "L:1")
QUERIES = tuple(Query(f"q{n}", f"Hỏi {n}?", ("L:0",), source="natural") for n in range(3))


def run(name: str, queries: tuple[Query, ...], first: int) -> TrecRun:
    """The article of that row first, for every question."""
    rows = np.tile(np.array([[first, 1 - first]], np.int32), (len(queries), 1))
    scores = np.tile(np.array([[2.0, 1.0]], np.float32), (len(queries), 1))
    return TrecRun(name, tuple(query.qid for query in queries), CIDS, rows, scores)


TESTED = JudgedRuns(QUERIES, (run("bm25", QUERIES, 1), run("reranked", QUERIES, 1)))  # gold second: MRR 0.5


class Asked:
    """A retriever that finds the gold first, and remembers what it was asked."""

    def __init__(self) -> None:
        self.queries: tuple[Query, ...] = ()

    def runs(self, queries, label):
        self.queries = tuple(queries)
        return {"bm25": run("bm25", self.queries, 1), "reranked": run("reranked", self.queries, 0)}


def compared(candidate: tuple[Query, ...], production: JudgedRuns = TESTED):
    asked = Asked()
    return evaluation_on_same_questions(candidate, production, lambda: asked, (1, 10)), asked


def test_the_same_questions_are_not_asked_again():
    evaluation, asked = compared(QUERIES[:2])
    assert asked.queries == ()
    assert evaluation.mean["mrr@10"] == 0.5
    assert set(evaluation.qids) >= {"q0", "q1"}


@pytest.mark.parametrize(
    "changed",
    [replace(QUERIES[0], text="Hỏi khác?"), replace(QUERIES[0], cids=("L:1",)), replace(QUERIES[0], qid="q9")],
    ids=["text", "golds", "id"],
)
def test_a_changed_question_has_production_asked_all_of_them(changed: Query):
    candidate = (changed, *QUERIES[1:])
    evaluation, asked = compared(candidate)
    assert asked.queries == candidate
    assert evaluation.qids == tuple(query.qid for query in candidate)
    assert evaluation.mean["mrr@10"] == pytest.approx(5 / 6 if changed.cids == ("L:1",) else 1.0)


def test_queries_made_from_titles_are_never_asked():
    titles = tuple(replace(query, qid=f"title:{query.qid}", source="title") for query in QUERIES)
    evaluation, asked = compared(titles, JudgedRuns(titles, (run("reranked", titles, 1),)))
    assert asked.queries == ()
    assert evaluation.qids == tuple(query.qid for query in titles)
    _, asked = compared((*titles, replace(QUERIES[0], text="Hỏi khác?")))
    assert [query.text for query in asked.queries] == ["Hỏi khác?"]
