"""Step: whether a version may go into production, from what both versions found for their test queries."""

from __future__ import annotations

from typing import Annotated

from retrieval.assessment import production_evaluation
from retrieval.config import EvaluationConfig, GatesConfig
from retrieval.evaluation.gates import judge_retriever
from retrieval.records import Decision
from steps.library_step import library_step
from steps.promotion.versions import test_runs_of


@library_step
def judge_promotion(
    version: str, production: str, config: GatesConfig, evaluation: EvaluationConfig, seed: int
) -> Annotated[Decision, "promotion_decision"]:
    """Judge a version against the present production.

    Args:
        version: Of legal-retriever, by number.
        production: Version in production; empty where there is none.
        config: Floors and significance.
        evaluation: Cutoffs and bootstrap samples.
        seed: Of the bootstrap.
    """
    before = production_evaluation(test_runs_of(production), evaluation.cutoffs) if production else None
    evaluations = test_runs_of(version).evaluations(evaluation.cutoffs)
    return judge_retriever(config, evaluations, before, evaluation.bootstrap_samples, seed)
