"""Steps: put a version into production where the decision allows it, or put the one before back."""

from __future__ import annotations

from typing import Annotated

from zenml import get_step_context
from zenml.enums import ModelStages
from zenml.models import ModelVersionResponse

from registry import ledger
from registry.production_check import check_bundle_of
from registry.reconcile import production_name, reconcile
from registry.versions import RETRIEVER, find_version, link_to_version, name_of, record, set_stage
from retrieval.records import Decision
from steps.library_step import library_step


@library_step
def promote_version(
    decision: Decision, version: str, production: str, change: int, experiment: str
) -> Annotated[str, "production_version"]:
    """Set the stage ``production`` if the decision passed.

    Args:
        decision: The verdict; recorded with the version either way.
        version: To be promoted.
        production: Version it was judged against; empty where there was none.
        change: Number of this change of production, taken when it was judged.
        experiment: Of MLflow.

    Returns:
        The version in production afterwards; empty where there is none.
    """
    candidate = find_version(version)
    link_to_version(get_step_context().inputs["decision"][0], candidate)
    record_verdict(candidate, "promotion", decision)
    if not decision.passed:
        return production
    move(candidate, production, change, "promotion")
    reconcile(experiment)
    return name_of(candidate)


@library_step
def roll_back(
    production: str, previous: str, change: int, experiment: str
) -> tuple[Annotated[str, "production_version"], Annotated[Decision, "promotion_decision"]]:
    """Put the version that was in production before back there, if its bundle still loads.

    Args:
        production: Version there now.
        previous: Version to put back.
        change: Number of this change of production.
        experiment: Of MLflow.
    """
    trial = check_bundle_of(previous, 1)
    if trial.fault:
        decision = Decision(RETRIEVER, False, (f"version {previous} does not load: {trial.fault}",))
        record_verdict(find_version(previous), "rollback", decision)
        return production, decision
    decision = Decision(RETRIEVER, True, (f"rolled back from version {production} to version {previous} by request",))
    move(find_version(previous), production, change, "rollback")
    record_verdict(find_version(previous), "rollback", decision)
    reconcile(experiment)
    return previous, decision


def record_verdict(version: ModelVersionResponse, change: ledger.Kind, decision: Decision) -> None:
    """Keep with a version what was decided about it and why.

    Args:
        version: That was judged.
        change: What it was judged for.
        decision: The verdict.
    """
    verdict = "passed" if decision.passed else "refused"
    record(version, {change: verdict, f"{change}_reasons": list(decision.reasons)})


def move(version: ModelVersionResponse, before: str, change: int, kind: ledger.Kind) -> None:
    """Put a version into production unless another change came first; what follows from it is left to `reconcile`.

    Args:
        version: That comes.
        before: That has to be there still.
        change: Number to take in the ledger.
        kind: How it comes; a rollback leaves what was before the version as it is.

    Raises:
        PromotionError: If another change came first.
    """
    ledger.claim(change, name_of(version), before, kind)
    if production_name() != before or ledger.changes()[-1].number != change:
        raise ledger.lost(name_of(version), before)
    if kind == "promotion":
        record(version, {"previous_production": before})
    set_stage(version, ModelStages.PRODUCTION)
    ledger.finish(change)
