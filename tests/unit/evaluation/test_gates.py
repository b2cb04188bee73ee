"""The gate before staging: each rule can pass and fail, and says why."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.config.schema import GatesConfig
from retrieval.errors import EvaluationError
from retrieval.evaluation.gates import judge_retriever, with_trial
from retrieval.evaluation.metrics import evaluation_of
from retrieval.evaluation.trial import Trial

QIDS = [f"q{number}" for number in range(200)]
NOISE = np.random.default_rng(0).normal(0, 0.05, 200)
CONFIG = GatesConfig(min_mrr_at_10=0.6, min_recall_at_100=0.9, min_gain_over_bm25=0.05)


def stage(name, mrr, recall=0.95, qids=QIDS):
    values = {"mrr@10": mrr + NOISE[: len(qids)] - NOISE[: len(qids)].mean(), "recall@100": np.full(len(qids), recall)}
    return evaluation_of(name, qids, values)


def decide(candidate, bm25=None, production=None, config=CONFIG):
    evaluations = {"bm25": bm25 or stage("bm25", 0.5), "reranked": candidate}
    return judge_retriever(config, evaluations, production, samples=500, seed=0)


def test_good_candidate_passes_with_a_reason_a_rule():
    decision = decide(stage("reranked", 0.75))
    assert decision.passed
    assert len(decision.reasons) == 4
    assert decision.subject == "legal-retriever"
    assert decision.values["mrr@10"] == pytest.approx(0.75)
    assert decision.values["gain_over_bm25"] == pytest.approx(0.25)
    assert "no production version yet" in decision.reasons[3]


@pytest.mark.parametrize(
    ("candidate", "bm25", "rule", "words"),
    [
        (stage("reranked", 0.59), None, 0, "mrr@10 of reranked 0.5900 is below the floor 0.6000"),
        (stage("reranked", 0.75, recall=0.89), None, 1, "recall@100 of reranked 0.8900 is below the floor 0.9000"),
        (stage("reranked", 0.75), stage("bm25", 0.72), 2, "is below the floor +0.0500"),
    ],
)
def test_each_floor_alone_fails_the_candidate_and_names_its_number(candidate, bm25, rule, words):
    decision = decide(candidate, bm25)
    assert not decision.passed
    assert words in decision.reasons[rule]
    assert sum("is below" in reason for reason in decision.reasons) == 1


def test_significant_loss_against_production_fails_although_floors_are_met():
    worse = evaluation_of("reranked", QIDS, {"mrr@10": np.r_[np.zeros(30), np.ones(170)], "recall@100": np.ones(200)})
    best = evaluation_of("production", QIDS, {"mrr@10": np.ones(200), "recall@100": np.ones(200)})
    decision = decide(worse, production=best)
    assert not decision.passed
    assert decision.reasons[3].endswith("on 200 queries: a significant loss at 0.05")
    assert decision.values["difference_to_production"] == pytest.approx(-0.15)
    assert decision.values["p_value_to_production"] < 0.05


@pytest.mark.parametrize("flips", [(12, 10), (10, 10), (5, 60)], ids=["small loss", "even", "gain"])
def test_insignificant_loss_tie_and_gain_against_production_pass(flips):
    lost, won = flips
    ours, theirs = np.full(200, 0.8), np.full(200, 0.8)
    ours[:lost], theirs[lost : lost + won] = 0.0, 0.0
    make = {name: evaluation_of(name, QIDS, {"mrr@10": v, "recall@100": np.ones(200)}) for name, v in
            (("reranked", ours), ("production", theirs))}  # fmt: skip
    decision = decide(make["reranked"], production=make["production"])
    assert decision.passed
    assert "no significant loss" in decision.reasons[3]


def test_production_is_compared_on_the_shared_queries_only():
    decision = decide(stage("reranked", 0.75), production=stage("production", 0.7, qids=QIDS[50:150]))
    assert decision.passed
    assert decision.values["production_queries"] == 100


def test_production_judged_on_other_queries_fails_and_says_what_to_do():
    other = stage("production", 0.1, qids=[f"x{number}" for number in range(20)])
    decision = decide(stage("reranked", 0.75), production=other)
    assert not decision.passed
    assert "evaluate it on the same test queries" in decision.reasons[3]


def test_retriever_without_a_reranker_is_judged_by_its_last_stage():
    evaluations = {"bm25": stage("bm25", 0.5), "dense": stage("dense", 0.3), "hybrid": stage("hybrid", 0.75)}
    assert judge_retriever(CONFIG, evaluations, None, samples=100, seed=0).values["mrr@10"] == pytest.approx(0.75)


@pytest.mark.parametrize("present", [{"bm25"}, {"reranked"}])
def test_missing_stage_is_refused_with_what_is_there(present):
    evaluations = {name: stage(name, 0.7) for name in present}
    with pytest.raises(EvaluationError, match="need bm25 and one of reranked, hybrid, dense"):
        judge_retriever(CONFIG, evaluations, None, samples=10, seed=0)


SECONDS = tuple(n / 100 for n in range(1, 21))  # 0.01 ... 0.20; 95 % of 20 is the 19th


@pytest.mark.parametrize(("budget", "passed"), [(0.19, True), (0.189, False)])
def test_the_latency_budget_is_what_95_percent_of_the_questions_may_take(budget, passed):
    decision = with_trial(decide(stage("reranked", 0.75)), Trial(SECONDS), budget)
    assert decision.passed is passed
    assert decision.values["latency_p95_seconds"] == 0.19
    assert decision.values["latency_median_seconds"] == 0.10
    assert ("within" if passed else "above") in decision.reasons[-1]
    assert len(decision.reasons) == 6


def test_a_bundle_that_does_not_load_is_refused_with_its_fault():
    decision = with_trial(decide(stage("reranked", 0.75)), Trial(fault="weights.bin: SHA-256 differs"), 1.0)
    assert not decision.passed
    assert "the bundle does not load: weights.bin: SHA-256 differs" in decision.reasons


def test_a_quick_bundle_does_not_save_a_refused_candidate():
    assert not with_trial(decide(stage("reranked", 0.1)), Trial(SECONDS), 1.0).passed
