"""Steps: push how a run went and what it measured to a Pushgateway, as the last thing that the run does."""

from __future__ import annotations

from typing import Annotated

from zenml import get_step_context

from monitoring.pipeline_pushes import EvaluationValue
from registry.run_pushes import Pushing
from retrieval.evaluation.summary import HEADLINE, HEADLINE_CUTOFFS
from retrieval.experiments.assessment import JudgedRuns, grouped
from retrieval.records import Decision
from steps.library_step import fresh_step


@fresh_step
def push_run(address: str, counts: str) -> Annotated[bool, "pushed"]:
    """Push a run that measures nothing.

    Args:
        address: Of the Pushgateway.
        counts: Folder that counts dropped pushes; empty where there is none.
    """
    return _push(address, counts)


@fresh_step
def push_evaluated_run(found: JudgedRuns, address: str, counts: str) -> Annotated[bool, "pushed"]:
    """Push a run that measured a retriever.

    Args:
        found: What it found for its queries.
        address: Of the Pushgateway.
        counts: Folder that counts dropped pushes; empty where there is none.
    """
    return _push(address, counts, found)


@fresh_step
def push_judged_run(decision: Decision, address: str, counts: str) -> Annotated[bool, "pushed"]:
    """Push a run that decided about a retriever.

    Args:
        decision: Of its gate.
        address: Of the Pushgateway.
        counts: Folder that counts dropped pushes; empty where there is none.
    """
    return _push(address, counts, None, decision)


@fresh_step
def push_trained_run(found: JudgedRuns, decision: Decision, address: str, counts: str) -> Annotated[bool, "pushed"]:
    """Push a training.

    Args:
        found: What its retriever found for the test queries.
        decision: Of its gate.
        address: Of the Pushgateway.
        counts: Folder that counts dropped pushes; empty where there is none.
    """
    return _push(address, counts, found, decision)


def evaluation_values(found: JudgedRuns) -> tuple[EvaluationValue, ...]:
    """The headline numbers of every stage for each kind of query: a few dozen, whatever was measured."""
    evaluations = found.evaluations(HEADLINE_CUTOFFS)
    return tuple(
        EvaluationValue(metric, stage, group, float(chosen.mean[metric]))
        for group, queries in grouped(found.queries).items()
        for stage, evaluation in evaluations.items()
        for chosen in [evaluation.select([query.qid for query in queries])]
        for metric in HEADLINE
    )


def gate_outcomes(decision: Decision) -> dict[str, bool]:
    """Whether each rule was passed, and under ``all`` the verdict."""
    return {**decision.gates, "all": decision.passed}


def _push(address: str, counts: str, found: JudgedRuns | None = None, decision: Decision | None = None) -> bool:
    return Pushing(address, counts).push(
        get_step_context().pipeline_run,
        True,
        evaluation_values(found) if found is not None else (),
        gate_outcomes(decision) if decision is not None else None,
    )
