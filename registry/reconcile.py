"""Whatever follows the stage of legal-retriever: the ledger, its two models, MLflow, and what is kept here.

The stage of legal-retriever in ZenML is what counts, whoever set it: a promotion, a rollback or a hand. Every command
settles first, so that what a kill or an absent MLflow left half done is done by the next one.
"""

from __future__ import annotations

import logging
from contextlib import suppress

from zenml.client import Client
from zenml.enums import ModelStages

from registry import ledger
from registry.errors import PromotionError
from registry.local.stages import note_stages
from registry.mlflow_mirror import STAGES, mirror
from registry.versions import PARTS, all_in_stage, find_version, in_stage, name_of, parts_of, record, set_stage
from tracking.connection import cause, connect, failures
from tracking.spool import send_kept

logger = logging.getLogger(__name__)


def reconcile(experiment: str) -> None:
    """Bring everything into line; an MLflow that is away is told of and left for the next command.

    Args:
        experiment: Of MLflow.
    """
    for line in catch_up():
        logger.warning("%s", line)
    for line in stage_parts():
        logger.info("%s", line)
    note_stages()
    tracker = connect()
    if tracker is None:
        return
    try:
        for line in [*send_kept(tracker), *mirror(tracker, experiment)]:
            logger.info("%s", line)
    except failures() as error:
        logger.warning("MLflow at %s: %s; the next command updates its models and aliases", tracker.uri, cause(error))


def production_name() -> str:
    """Version of legal-retriever in production; empty where there is none."""
    found = in_stage(ModelStages.PRODUCTION)
    return name_of(found) if found else ""


def catch_up() -> list[str]:
    """Finish a change that was cut short after the stage was set, or enter one that was made by hand.

    Returns:
        A line if something was done.
    """
    current, known = production_name(), ledger.changes()
    last = known[-1] if known else None
    if last and not last.done and current and last.version == current:
        ledger.finish(last.number)
        return [f"the {last.kind} of version {current}, which was cut short, is complete now"]
    before = next((change.version for change in reversed(known) if change.done), "")
    if current == before:
        return []
    with suppress(PromotionError):  # another process entered it
        ledger.claim(ledger.next_number(), current, before, "by hand")
        if current and before and before_it(before) != current:
            record(find_version(current), {"previous_production": before})
        ledger.finish(ledger.changes()[-1].number)
    return [f"production was changed by hand, from version {before or 'none'} to {current or 'none'}"]


def before_it(version: str) -> str:
    """The version that was in production before one; empty where it was the first."""
    return str(find_version(version).run_metadata.get("previous_production") or "")


def stage_parts() -> list[str]:
    """Put the models of the retrievers in staging and production into these stages, and no others.

    A model that serves both is in production.

    Returns:
        A line for each version moved.
    """
    wanted: dict[str, dict[str, ModelStages]] = {model: {} for model in PARTS}
    for stage in STAGES:
        retriever = in_stage(stage)
        for model, name in parts_of(retriever).items() if retriever else ():
            wanted[model][name] = stage
    return [line for model, stages in wanted.items() for line in _stage(model, stages)]


def _stage(model: str, wanted: dict[str, ModelStages]) -> list[str]:
    lines = []
    for name, stage in wanted.items():
        version = find_version(name, model)
        if version.stage != stage.value:
            set_stage(version, stage)
            lines.append(f"{model} {name}: {stage.value}")
    for version in [version for stage in STAGES for version in all_in_stage(stage, model)]:
        if version.name not in wanted:
            Client().update_model_version(version.model.id, version.id, stage=ModelStages.ARCHIVED, force=True)
            lines.append(f"{model} {version.name}: archived")
    return lines
