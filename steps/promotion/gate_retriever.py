"""Step: whether the retriever may be staged, compared with what is in production at that moment."""

from __future__ import annotations

import logging
from typing import Annotated

from zenml import log_metadata

import tracking
from registry.production_check import production_on
from registry.reconcile import production_name
from retrieval.config.schema import EvaluationConfig, GatesConfig
from retrieval.evaluation.gates import judge_retriever
from retrieval.evaluation.summary import measured_cutoffs
from retrieval.experiments.assessment import JudgedRuns
from retrieval.records import Decision
from steps.library_step import fresh_step

logger = logging.getLogger(__name__)


@fresh_step
def gate_retriever(
    test_runs: JudgedRuns, config: GatesConfig, evaluation: EvaluationConfig, seed: int
) -> Annotated[Decision, "decision"]:
    """Judge floors, the gain over BM25 and the difference to production.

    Production is looked up here and never taken from a cache: a scheduled training may start weeks after it was
    handed over, and its gate is reached hours after it started.

    Args:
        test_runs: Of the candidate.
        config: Floors and significance.
        evaluation: Cutoffs and bootstrap samples.
        seed: Of the bootstrap.
    """
    production = production_name()
    log_metadata({"production_version": production or "none"})
    logger.info("compared with %s", f"version {production}, which is in production" if production else "no production")
    cutoffs = measured_cutoffs(evaluation.cutoffs)
    before = production_on(production, test_runs.queries, cutoffs)
    evaluations = test_runs.evaluations(cutoffs)
    decision = judge_retriever(config, evaluations, before, evaluation.bootstrap_samples, seed)
    tracking.log_metrics({f"gate/{name}": value for name, value in decision.values.items()})
    return decision
