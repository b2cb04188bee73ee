"""Reranker metrics: closed forms, misses, and the rule that nothing is injected."""

from __future__ import annotations

import math

import numpy as np
import pytest

from retrieval.errors import EvaluationError
from retrieval.evaluation.reranking import evaluate_reranking, roc_auc
from tests.unit.evaluation.fixtures import run_of

QRELS = {"up": frozenset({"c"}), "down": frozenset({"a"}), "missed": frozenset({"z"})}
FIRST = run_of({"up": ["a", "b", "c"], "down": ["a", "b", "c"], "missed": ["a", "b", "c"]}, "hybrid")
RERANKED = run_of({"up": ["c", "a", "b"], "down": ["b", "a", "c"], "missed": ["c", "b", "a"]}, "reranked")


def test_closed_forms_of_one_query_up_one_down_and_one_missed():
    result = evaluate_reranking(FIRST, RERANKED, QRELS)
    assert result.mean["reranking_accuracy"] == pytest.approx(1 / 3)
    assert result.per_query["mrr_improvement@10"].tolist() == pytest.approx([1 - 1 / 3, 1 / 2 - 1, 0])
    assert result.per_query["ndcg_improvement@10"].tolist() == pytest.approx([0.5, 1 / math.log2(3) - 1, 0])
    assert result.per_query["rank_displacement"][:2].tolist() == [2.0, -1.0]
    assert (result.name, result.first_stage, result.first_stage_misses) == ("reranked", "hybrid", 1)


def test_first_stage_misses_are_left_out_of_the_mean_displacement():
    result = evaluate_reranking(FIRST, RERANKED, QRELS)
    assert np.isnan(result.per_query["rank_displacement"][2])
    assert result.mean["rank_displacement"] == 0.5


def test_displacement_is_undefined_where_every_query_was_missed():
    run = run_of({"q": ["a"]})
    result = evaluate_reranking(run, run, {"q": frozenset("z")})
    assert math.isnan(result.mean["rank_displacement"])
    assert math.isnan(result.mean["roc_auc"])


def test_gold_cut_off_by_the_reranker_counts_one_past_its_list():
    shallow = run_of({"up": ["a", "b"], "down": ["b", "a"], "missed": ["c", "b"]}, "reranked")
    assert evaluate_reranking(FIRST, shallow, QRELS).per_query["rank_displacement"][0] == 3 - 3
    assert evaluate_reranking(FIRST, shallow, QRELS).per_query["rank_displacement"][1] == 1 - 2


def test_injected_gold_is_refused_by_query():
    injected = run_of({"up": ["c"], "down": ["a"], "missed": ["z", "a"]}, "reranked")
    with pytest.raises(EvaluationError, match=r"1 queries hold relevant articles that hybrid missed \(first: missed\)"):
        evaluate_reranking(FIRST, injected, QRELS)


def test_runs_over_other_queries_are_refused():
    with pytest.raises(EvaluationError, match=r"align them with run\.select"):
        evaluate_reranking(FIRST, RERANKED.select(["up"]), QRELS)


def test_auc_of_separated_reversed_and_equal_scores():
    low, high = np.array([0.1, 0.2]), np.array([0.8, 0.9, 0.7])
    assert (roc_auc(high, low), roc_auc(low, high), roc_auc(np.ones(4), np.ones(7))) == (1.0, 0.0, 0.5)


def test_auc_reads_scores_across_queries():
    scores = {"q1": [0.9, 0.8], "q2": [0.3, 0.1]}
    run = run_of({"q1": ["a", "b"], "q2": ["a", "b"]}, scores=scores)
    result = evaluate_reranking(run, run, {"q1": frozenset("a"), "q2": frozenset("a")})
    assert result.mean["roc_auc"] == 3 / 4  # 0.3 loses to 0.8 alone
