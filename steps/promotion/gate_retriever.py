"""Step: whether the retriever may be staged."""

from __future__ import annotations

from typing import Annotated

import tracking
from registry.production_check import production_on
from retrieval.config import EvaluationConfig, GatesConfig
from retrieval.evaluation.gates import judge_retriever
from retrieval.evaluation.summary import measured_cutoffs
from retrieval.experiments.assessment import JudgedRuns
from retrieval.records import Decision
from steps.library_step import library_step


@library_step
def gate_retriever(
    test_runs: JudgedRuns, config: GatesConfig, evaluation: EvaluationConfig, production: str, seed: int
) -> Annotated[Decision, "decision"]:
    """Judge floors, the gain over BM25 and the difference to production.

    Args:
        test_runs: Of the candidate.
        config: Floors and significance.
        evaluation: Cutoffs and bootstrap samples.
        production: Version of legal-retriever in production; empty where there is none.
        seed: Of the bootstrap.
    """
    cutoffs = measured_cutoffs(evaluation.cutoffs)
    before = production_on(production, test_runs.queries, cutoffs)
    evaluations = test_runs.evaluations(cutoffs)
    decision = judge_retriever(config, evaluations, before, evaluation.bootstrap_samples, seed)
    tracking.log_metrics({f"gate/{name}": value for name, value in decision.values.items()})
    return decision
