"""Pipeline `promotion`: puts a version of legal-retriever into production, rolls back, or shows the versions."""

from __future__ import annotations

from zenml import pipeline
from zenml.enums import ExecutionMode, ModelStages

import materializers.findings
import materializers.reports  # noqa: F401 - registers them
from pipelines.inputs import without
from pipelines.launch import require_foreground
from pipelines.results import Outcome, finished, load_output
from retrieval.config import Config
from retrieval.errors import ConfigError
from retrieval.records import Decision
from steps.promotion.judge_promotion import judge_promotion
from steps.promotion.move_production import promote_version, roll_back
from steps.promotion.versions import RETRIEVER, find_version, in_stage, versions

_SHOW = "python run.py --pipeline promotion --set promotion.show=true"
_ROLL_BACK = "python run.py --pipeline promotion --set promotion.rollback=true"


@pipeline(name="promotion", enable_cache=False, execution_mode=ExecutionMode.FAIL_FAST)
def promotion_pipeline(config: Config, version: str, production: str) -> None:
    """Judge a version against production and promote it if it passes."""
    measured = without(config.evaluation, "questions", "corpus", "model", "output")
    decision = judge_promotion(version, production, config.gates, measured, config.seed)
    promote_version(decision, version, production)


@pipeline(name="rollback", enable_cache=False, execution_mode=ExecutionMode.FAIL_FAST)
def rollback_pipeline(production: str, previous: str) -> None:
    """Put the version that was in production before back there."""
    roll_back(production, previous)


def run(config: Config, cache: bool) -> Outcome:
    """Show, roll back or promote, as the configuration says."""
    if config.promotion.show:
        return _show()
    require_foreground("promotion")
    current = in_stage(ModelStages.PRODUCTION)
    production = current.name if current else ""
    if config.promotion.rollback:
        return _roll_back(production)
    candidate = find_version(config.promotion.version).name
    if candidate == production:
        return Outcome([f"legal-retriever {production} is in production already"], [_SHOW])
    response = finished(promotion_pipeline(config, candidate, production))
    decision: Decision = load_output(response, "judge_promotion", "promotion_decision")
    before = f"in place of {production}" if production else "as the first"
    verdict = f"is in production {before}" if decision.passed else "was refused; production stays as it was"
    lines = [f"legal-retriever {candidate} {verdict}", *(f"  - {reason}" for reason in decision.reasons)]
    return Outcome(
        lines, [_SHOW, _ROLL_BACK] if decision.passed and production else [_SHOW], 0 if decision.passed else 1
    )


def _roll_back(production: str) -> Outcome:
    if not production:
        raise ConfigError("promotion.rollback: nothing is in production; promote a version first")
    previous = str(find_version(production).run_metadata.get("previous_production") or "")
    if not previous:
        raise ConfigError(
            f"promotion.rollback: version {production} is the first in production; there is none before it"
        )
    finished(rollback_pipeline(production, previous))
    return Outcome([f"legal-retriever {previous} is in production again, {production} is archived"], [_SHOW])


def _show() -> Outcome:
    lines = [f"{'version':9}{'stage':12}{'MRR@10':>8}  {'gate':9}{'bi-enc':>7}{'cross':>7}  created"]
    for version in versions():
        facts = version.run_metadata
        score = facts.get("mrr@10")
        shown = f"{score:.4f}" if isinstance(score, float) else "-"
        parts = f"{facts.get('bi_encoder_version', '-')!s:>7}{facts.get('cross_encoder_version', '-')!s:>7}"
        row = f"{version.name:9}{version.stage or '-':12}{shown:>8}  {facts.get('gate', '-')!s:9}{parts}"
        lines.append(f"{row}  {version.created:%Y-%m-%d %H:%M}")
    return Outcome(lines if len(lines) > 1 else [f"{RETRIEVER}: no version yet"])
