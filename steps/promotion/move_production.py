"""Steps: put a version into production where the decision allows it, or put the one before back."""

from __future__ import annotations

from typing import Annotated

from zenml import get_step_context
from zenml.enums import ModelStages

from retrieval.records import Decision
from steps.library_step import library_step
from steps.promotion.versions import RETRIEVER, find_version, link_to_version, record, stage_together


@library_step
def promote_version(decision: Decision, version: str, production: str) -> Annotated[str, "production_version"]:
    """Set the stage ``production`` if the decision passed.

    Args:
        decision: The verdict; recorded with the version either way.
        version: To be promoted.
        production: Version there now; empty where there is none.

    Returns:
        The version in production afterwards; empty where there is none.
    """
    candidate = find_version(version)
    link_to_version(get_step_context().inputs["decision"][0], candidate)
    verdict = "passed" if decision.passed else "refused"
    record(candidate, {"promotion": verdict, "promotion_reasons": list(decision.reasons)})
    if not decision.passed:
        return production
    record(candidate, {"previous_production": production})
    stage_together(candidate, ModelStages.PRODUCTION)
    return candidate.name


@library_step
def roll_back(
    production: str, previous: str
) -> tuple[Annotated[str, "production_version"], Annotated[Decision, "promotion_decision"]]:
    """Put the version that was in production before back there.

    Args:
        production: Version there now.
        previous: Version to put back.
    """
    stage_together(find_version(previous), ModelStages.PRODUCTION)
    decision = Decision(RETRIEVER, True, (f"rolled back from version {production} to version {previous} by request",))
    record(find_version(production), {"rolled_back_to": previous})
    return previous, decision
