"""Pipeline `promotion`: puts a version of legal-retriever into production, rolls back, or shows the versions."""

from __future__ import annotations

from zenml import pipeline
from zenml.enums import ExecutionMode, ModelStages

from pipelines.inputs import without
from pipelines.launch import require_foreground
from pipelines.next_command import Following
from pipelines.results import Outcome, finished, load_output
from pipelines.with_alerts import announcing, failures_announced, with_alerts
from pipelines.with_pushes import failures_pushed, pushing, with_pushes
from registry.announcements import announce_promotion, announce_rollback
from registry.ledger import next_number
from registry.mlflow_mirror import resolve
from registry.reconcile import before_it, production_name, reconcile
from registry.version_report import version_report
from registry.versions import RETRIEVER, find_version, in_stage, link_to_version, versions
from retrieval.config.schema import Config
from retrieval.errors import ConfigError
from retrieval.records import Decision
from steps.monitoring.push_run_metrics import push_judged_run
from steps.promotion.judge_promotion import judge_promotion
from steps.promotion.move_production import promote_version, roll_back
from tracking.connection import connect, require

_SHOW = Following("promotion", ("promotion.show=true",))
_ROLL_BACK = Following("promotion", ("promotion.rollback=true",))


@pipeline(name="promotion", enable_cache=False, execution_mode=ExecutionMode.FAIL_FAST)
def promotion_pipeline(config: Config, version: str, production: str, change: int) -> None:
    """Judge a version against production and promote it if it passes."""
    measured = without(config.evaluation, "questions", "corpus", "model", "output")
    decision = judge_promotion(version, production, config.gates, measured, config.seed)
    promote = announcing(promote_version, announce_promotion)
    moved = promote(decision, version, production, change, config.tracking.experiment)
    pushing(push_judged_run, config, decision, after=moved)


@pipeline(name="rollback", enable_cache=False, execution_mode=ExecutionMode.FAIL_FAST)
def rollback_pipeline(config: Config, production: str, previous: str, change: int) -> None:
    """Put the version that was in production before back there."""
    back = announcing(roll_back, announce_rollback)
    now, decision = back(production, previous, change, config.tracking.experiment)
    pushing(push_judged_run, config, decision, after=now)


def run(config: Config, cache: bool) -> Outcome:
    """Show, roll back or promote, as the configuration says."""
    if config.promotion.show:
        reconcile(config.tracking.experiment)
        return _show(config.promotion.version)
    require_foreground("promotion")
    require()
    wanted = resolve(config.promotion.version, connect())  # before an alias moved in MLflow is moved back
    reconcile(config.tracking.experiment)
    change, production = next_number(), production_name()
    if config.promotion.rollback:
        return _roll_back(config, production, change)
    candidate = find_version(wanted).name
    if candidate == production:
        return Outcome([f"legal-retriever {production} is in production already"], [_SHOW])
    with failures_announced(promotion_pipeline), failures_pushed(promotion_pipeline, config):
        ready = with_pushes(with_alerts(promotion_pipeline), config)
        response = finished(ready(config, candidate, production, change))
    decision: Decision = load_output(response, "judge_promotion", "promotion_decision")
    before = f"in place of {production}" if production else "as the first"
    verdict = f"is in production {before}" if decision.passed else "was refused; production stays as it was"
    lines = [f"legal-retriever {candidate} {verdict}", *(f"  - {reason}" for reason in decision.reasons)]
    return Outcome(
        lines, [_SHOW, _ROLL_BACK] if decision.passed and production else [_SHOW], 0 if decision.passed else 1
    )


def _roll_back(config: Config, production: str, change: int) -> Outcome:
    if not production:
        raise ConfigError("promotion.rollback: nothing is in production; promote a version first")
    previous = before_it(production)
    if not previous:
        raise ConfigError(
            f"promotion.rollback: version {production} is the first in production; there is none before it"
        )
    with failures_announced(rollback_pipeline), failures_pushed(rollback_pipeline, config):
        ready = with_pushes(with_alerts(rollback_pipeline), config)
        response = finished(ready(config, production, previous, change))
    link_to_version(response.steps["roll_back"].outputs["promotion_decision"][0], find_version(production))
    decision: Decision = load_output(response, "roll_back", "promotion_decision")
    if not decision.passed:
        return Outcome(
            [f"not rolled back; {production} stays in production", *(f"  - {one}" for one in decision.reasons)],
            [_SHOW],
            1,
        )
    return Outcome([f"legal-retriever {previous} is in production again, {production} is archived"], [_SHOW])


def _show(name: str) -> Outcome:
    """All versions in a table, then the story of one.

    Args:
        name: As in the configuration; where nothing is staged, production's story is told, else the newest one's.
    """
    known = versions()
    if not known:
        return Outcome([f"{RETRIEVER}: no version yet"])
    lines = [f"{'version':9}{'stage':12}{'MRR@10':>8}  {'gate':9}{'bi-enc':>7}{'cross':>7}  created"]
    for version in known:
        facts = version.run_metadata
        score = facts.get("mrr@10")
        shown = f"{score:.4f}" if isinstance(score, float) else "-"
        parts = f"{facts.get('bi_encoder_version', '-')!s:>7}{facts.get('cross_encoder_version', '-')!s:>7}"
        row = f"{version.name:9}{version.stage or '-':12}{shown:>8}  {facts.get('gate', '-')!s:9}{parts}"
        lines.append(f"{row}  {version.created:%Y-%m-%d %H:%M}")
    staged = name != ModelStages.STAGING.value or in_stage(ModelStages.STAGING)
    told = find_version(name) if staged else in_stage(ModelStages.PRODUCTION) or known[0]
    return Outcome([*lines, "", *version_report(told)])
