"""Step: whether a version may go into production: what it and production found, and how its bundle behaves."""

from __future__ import annotations

from typing import Annotated

from registry.production_check import check_bundle_of, production_on
from registry.versions import test_runs_of
from retrieval.config.schema import EvaluationConfig, GatesConfig
from retrieval.evaluation.gates import judge_retriever, with_trial
from retrieval.evaluation.summary import measured_cutoffs
from retrieval.records import Decision
from steps.library_step import library_step


@library_step
def judge_promotion(
    version: str, production: str, config: GatesConfig, evaluation: EvaluationConfig, seed: int
) -> Annotated[Decision, "promotion_decision"]:
    """Judge a version against the present production, and try the bundle that would be served.

    Args:
        version: Of legal-retriever, by number.
        production: Version in production; empty where there is none.
        config: Floors, significance and the latency budget.
        evaluation: Cutoffs and bootstrap samples.
        seed: Of the bootstrap.
    """
    found = test_runs_of(version)
    cutoffs = measured_cutoffs(evaluation.cutoffs)
    before = production_on(production, found.queries, cutoffs)
    evaluations = found.evaluations(cutoffs)
    decision = judge_retriever(config, evaluations, before, evaluation.bootstrap_samples, seed)
    return with_trial(decision, check_bundle_of(version, config.latency_questions), config.latency_budget_seconds)
