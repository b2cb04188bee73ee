"""Metrics: closed forms, bounds, and refusals."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from retrieval.errors import EvaluationError
from retrieval.evaluation.metrics import METRICS, evaluate, first_relevant_rank, judge
from tests.unit.evaluation.fixtures import random_case, run_of

QRELS = {"q1": frozenset({"b", "d", "z"}), "q2": frozenset({"a"})}


@pytest.fixture
def example():
    return run_of({"q1": ["a", "b", "c", "d"], "q2": ["b", "c", "d"]})


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("recall@2", 1 / 3),
        ("recall@4", 2 / 3),
        ("precision@4", 2 / 4),
        ("precision@8", 2 / 8),
        ("hit_rate@1", 0.0),
        ("hit_rate@2", 1.0),
        ("mrr@1", 0.0),
        ("mrr@10", 1 / 2),
        ("ndcg@2", (1 / math.log2(3)) / (1 + 1 / math.log2(3))),
        ("ndcg@4", (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3) + 1 / math.log2(4))),
        ("map@4", (1 / 2 + 2 / 4) / 3),
    ],
)
def test_metric_equals_its_closed_form(example, metric, expected):
    evaluation = evaluate(example, QRELS, [1, 2, 4, 8, 10])
    assert evaluation.per_query[metric][0] == pytest.approx(expected, abs=1e-12)
    assert evaluation.mean[metric] == pytest.approx(expected / 2, abs=1e-12)  # q2 found nothing


def test_perfect_run_scores_one_where_one_is_possible():
    evaluation = evaluate(run_of({"q": ["a", "b"]}), {"q": frozenset({"a", "b"})}, [2])
    assert set(evaluation.mean.values()) == {1.0}


def test_query_without_hits_counts_zero_and_stays_in_the_mean():
    evaluation = evaluate(run_of({"q1": ["a"], "q2": []}), {"q1": frozenset("a"), "q2": frozenset("b")}, [1, 10])
    assert evaluation.mean["mrr@10"] == 0.5
    assert all(values[1] == 0.0 for values in evaluation.per_query.values())


def test_run_with_no_hits_at_all_scores_zero():
    evaluation = evaluate(run_of({"q1": []}), {"q1": frozenset("a")}, [1, 10])
    assert set(evaluation.mean.values()) == {0.0}


@pytest.mark.parametrize("name", ["recall", "hit_rate", "mrr", "map"])
def test_metric_never_falls_with_a_deeper_cutoff(name):
    run, qrels = random_case(3)
    judged = judge(run, qrels)
    values = np.stack([METRICS[name](judged, k) for k in range(1, 40)])
    assert (np.diff(values, axis=0) >= 0).all()
    assert values.max() > values.min()


def test_padding_is_never_relevant_even_beside_the_last_article_of_the_corpus():
    run = run_of({"q1": ["a", "b"], "q2": ["a"]})  # the padding of q2 would be article b of q1 if -1 were an index
    assert judge(run, {"q1": frozenset("b"), "q2": frozenset("b")}).relevance.tolist() == [
        [False, True],
        [False, False],
    ]


def test_first_relevant_rank_is_zero_where_nothing_was_found(example):
    assert first_relevant_rank(judge(example, QRELS)).tolist() == [2, 0]


def test_select_recomputes_the_mean_over_the_chosen_queries(example):
    evaluation = evaluate(example, QRELS, [10])
    assert evaluation.select(["q1"]).mean["mrr@10"] == 0.5
    assert evaluation.select(["q2", "q1"]).per_query["mrr@10"].tolist() == [0.0, 0.5]
    with pytest.raises(EvaluationError, match=r"1 of 2 queries asked for were not evaluated \(first: q9\)"):
        evaluation.select(["q1", "q9"])


def test_unknown_metric_is_named_with_the_way_to_get_it(example):
    with pytest.raises(EvaluationError, match=r"no mrr@7 .* add its k to evaluation.cutoffs"):
        evaluate(example, QRELS, [10]).values("mrr@7")


@pytest.mark.parametrize("gold", [{}, {"q1": frozenset("b")}, {"q1": frozenset("b"), "q2": frozenset()}])
def test_query_without_gold_is_refused_by_name(example, gold):
    with pytest.raises(EvaluationError, match="have no relevant article"):
        judge(example, gold)


def test_cutoff_below_one_is_refused(example):
    with pytest.raises(EvaluationError, match="cutoff 0 is below 1"):
        evaluate(example, QRELS, [0])


def test_empty_run_is_refused():
    with pytest.raises(EvaluationError, match="no queries"):
        judge(run_of({}), {})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": np.array([[0, 0, 1, 2], [1, 2, 3, -1]], np.int32)}, "query q1: an article repeats"),
        ({"rows": np.array([[0, 1, 2, 3], [1, 2, 9, -1]], np.int32)}, "query q2: a row points beyond"),
        ({"rows": np.array([[0, 1, 2, 3], [1, -1, 2, -1]], np.int32)}, "query q2: a hit follows padding"),
        ({"scores": np.array([[1, 2, 0, 0], [1, 1, 1, -np.inf]], np.float32)}, "query q1: a score is above"),
        ({"scores": np.array([[1, 1, 0, 0], [1, np.nan, 1, -np.inf]], np.float32)}, "query q2: a score is NaN"),
        ({"scores": np.zeros((2, 3), np.float32)}, "do not fit"),
        ({"qids": ("q1", "q1")}, "a query id repeats"),
    ],
)
def test_malformed_run_is_refused_with_the_query_and_the_fault(example, change, message):
    with pytest.raises(EvaluationError, match=message):
        judge(dataclasses.replace(example, **change), QRELS)
