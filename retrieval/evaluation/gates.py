"""The gates: floors, a gain over BM25 and no significant loss for staging; a bundle that works for production."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from retrieval.config.schema import GatesConfig
from retrieval.errors import EvaluationError
from retrieval.evaluation.metrics import Evaluation
from retrieval.evaluation.significance import paired_bootstrap
from retrieval.evaluation.trial import Trial
from retrieval.names import LEGAL_RETRIEVER
from retrieval.records import Decision

SUBJECT = LEGAL_RETRIEVER
_STAGES = ("reranked", "hybrid", "dense")  # the last stage present is what would be served
_NO_LOSS, _LOADS, _LATENCY = "no_loss_to_production", "bundle_loads", "latency"


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    passed: bool
    reason: str
    values: Mapping[str, float]


def judge_retriever(
    config: GatesConfig, evaluations: Mapping[str, Evaluation], production: Evaluation | None, samples: int, seed: int
) -> Decision:
    """Decide whether a retriever may be staged.

    Args:
        config: Floors and the p-value below which a loss counts.
        evaluations: By stage: ``bm25`` and the last of ``dense``, ``hybrid``, ``reranked``, on the same test queries.
        production: The same metrics of the production version on these queries; None where nothing is in production.
        samples: Bootstrap resamples.
        seed: Of the bootstrap.

    Returns:
        A Decision with one reason a rule, passed or not.

    Raises:
        EvaluationError: If ``bm25`` or every dense stage is absent, or a needed metric was not computed.
    """
    stage = next((name for name in _STAGES if name in evaluations), None)
    if stage is None or "bm25" not in evaluations:
        raise EvaluationError(
            f"gates: evaluations of {', '.join(evaluations) or 'nothing'}; need bm25 and one of {', '.join(_STAGES)}"
        )
    candidate = evaluations[stage]
    rules = (
        _floor(candidate, "mrr@10", config.min_mrr_at_10),
        _floor(candidate, "recall@100", config.min_recall_at_100),
        _gain(candidate, evaluations["bm25"], config.min_gain_over_bm25, samples, seed),
        _no_loss(candidate, production, config.max_p_value, samples, seed),
    )
    values = {name: value for rule in rules for name, value in rule.values.items()}
    gates = {rule.name: rule.passed for rule in rules}
    return Decision(SUBJECT, all(gates.values()), tuple(rule.reason for rule in rules), values, gates)


def with_trial(decision: Decision, trial: Trial, latency_budget_seconds: float) -> Decision:
    """The verdict with two more rules: the bundle loads, and answers within the budget.

    Args:
        decision: By the other rules.
        trial: Of the bundle that would be served.
        latency_budget_seconds: What 95 % of the questions may take at most.
    """
    if trial.fault:
        reasons = (f"the bundle does not load: {trial.fault}", "latency not measured: the bundle does not load")
        gates = {**decision.gates, _LOADS: False, _LATENCY: False}
        return Decision(decision.subject, False, (*decision.reasons, *reasons), decision.values, gates)
    slowest, median = trial.quantile(0.95), trial.quantile(0.5)
    within = slowest <= latency_budget_seconds
    reasons = (
        "the bundle loads and every file has its SHA-256",
        f"95 % of {len(trial.seconds)} questions answered in {slowest:.3f} s (median {median:.3f} s),"
        f" {'within' if within else 'above'} the budget of {latency_budget_seconds:g} s",
    )
    values = {**decision.values, "latency_p95_seconds": slowest, "latency_median_seconds": median}
    gates = {**decision.gates, _LOADS: True, _LATENCY: within}
    return Decision(decision.subject, decision.passed and within, (*decision.reasons, *reasons), values, gates)


def _floor(candidate: Evaluation, metric: str, floor: float) -> _Rule:
    value = float(candidate.values(metric).mean())
    passed = value >= floor  # false for NaN
    word = "reaches" if passed else "is below"
    return _Rule(
        metric, passed, f"{metric} of {candidate.name} {value:.4f} {word} the floor {floor:.4f}", {metric: value}
    )


def _gain(candidate: Evaluation, bm25: Evaluation, floor: float, samples: int, seed: int) -> _Rule:
    if candidate.qids != bm25.qids:
        bm25 = bm25.select(candidate.qids)
    difference = paired_bootstrap(candidate.values("mrr@10"), bm25.values("mrr@10"), samples, seed)
    passed = difference.mean >= floor
    reason = (
        f"gain over BM25 in mrr@10 {difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
        f" {'reaches' if passed else 'is below'} the floor {floor:+.4f}"
    )
    return _Rule("gain_over_bm25", passed, reason, {"gain_over_bm25": difference.mean})


def _no_loss(
    candidate: Evaluation, production: Evaluation | None, max_p_value: float, samples: int, seed: int
) -> _Rule:
    if production is None:
        return _Rule(_NO_LOSS, True, "no production version yet, so there is nothing to lose against", {})
    known = set(production.qids)
    shared = [qid for qid in candidate.qids if qid in known]
    if not shared:
        reason = (
            f"production was judged on {len(production.qids)} other queries, none of these {len(candidate.qids)};"
            " evaluate it on the same test queries"
        )
        return _Rule(_NO_LOSS, False, reason, {"production_queries": 0.0})
    ours, theirs = candidate.select(shared).values("mrr@10"), production.select(shared).values("mrr@10")
    difference = paired_bootstrap(ours, theirs, samples, seed)
    lost = difference.mean < 0 and difference.p_value < max_p_value
    verdict = "a significant loss" if lost else "no significant loss"
    reason = (
        f"against production in mrr@10 {difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}],"
        f" p = {difference.p_value:.4f} on {difference.queries} queries: {verdict} at {max_p_value:g}"
    )
    values = {
        "difference_to_production": difference.mean,
        "p_value_to_production": difference.p_value,
        "production_queries": float(difference.queries),
    }
    return _Rule(_NO_LOSS, not lost, reason, values)
