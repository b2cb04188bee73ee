"""Alerts on the models: cold starts, vectors of another size, scores that are spread otherwise, an index too old."""

from __future__ import annotations

from monitoring.rules.model import OF, Alert, Group, Panel, Record, Severity, span
from monitoring.rules.requests import WHO
from monitoring.slo import ServiceLevels

_SCORES = "endpoint_score_value"


def models(levels: ServiceLevels) -> Group:
    """Rules on what is served."""
    return Group(
        "models",
        "cold starts, dimension, scores, index and reranker",
        (_cold_starts(levels), _dimension(), *_score_drift(levels), *_stale(levels), _circuit(levels)),
    )


def _cold_starts(levels: ServiceLevels) -> Alert:
    """Cold starts that a living process counted of others, and processes that began again.

    A process counts its own cold start once, so its counter is 1 before and after a restart, and no function sees that.
    The seconds of its machine begin at 0 each time and only grow: wherever they fall, a process began.
    """
    window = f"{levels.cold_starts.within_minutes}m"
    return Alert(
        name="ColdStartSpike",
        expression=f"sum by ({OF}) (increase(endpoint_cold_starts_total[{window}]))\n+\n"
        f"sum by ({OF}) (\n  max by ({OF}, job, instance) (\n"
        f"    resets(endpoint_worker_seconds_total[{window}])))\n> {levels.cold_starts.most}.5",
        severity=Severity.TICKET,
        summary=f"{WHO} starts again and again",
        description=f'There were about {{{{ $value | printf "%.0f" }}}} cold starts in'
        f" {levels.cold_starts.within_minutes} minutes; {levels.cold_starts.most} are the limit.",
        action="Look at the log for why processes end; on RunPod raise the idle timeout or keep one worker.",
        panel=Panel("overview", "cost-rate", per_model="cold-starts"),
    )


def _dimension() -> Alert:
    """Compares all that was served within an hour; a new process has other labels, so ``changes`` sees nothing."""
    size = "endpoint_embedding_dimension[1h]"
    return Alert(
        name="EmbeddingDimensionChanged",
        expression=f"max by ({OF}) (max_over_time({size}))\n!=\nmin by ({OF}) (min_over_time({size}))",
        severity=Severity.PAGE,
        summary=f"{WHO} gives vectors of another size",
        description="Within the last hour there were vectors of several sizes, the longest of {{ $value }} numbers.",
        action="If nobody changed the model on purpose, serve the bundle before; if so, tell who keeps such vectors.",
        panel=Panel("bi-encoder", "bi-encoder-dimension"),
    )


def _score_drift(levels: ServiceLevels) -> tuple[Record | Alert, ...]:
    """Kolmogorov-Smirnov distance on the histogram's bounds: greatest difference of two cumulative shares."""
    limits = levels.score_drift
    recent_seconds = 60 * limits.recent_minutes
    recent, before = span(recent_seconds), span(3600 * limits.reference_hours)
    rate = f"endpoint_track_le:{_SCORES}_bucket:rate{recent}"
    earlier = f"endpoint_track_le:{_SCORES}_bucket:sum{before}"
    distance = f"endpoint_track:{_SCORES}:ks_distance"

    def share(of: str) -> str:
        return f'  {of}\n  / ignoring (le) group_left ()\n  ({of}{{le="+Inf"}} > 0)'

    def counted(of: str) -> str:
        return f'sum by ({OF}) ({of}{{le="+Inf"}})'

    return (
        Record(rate, f"sum by ({OF}, le) (rate({_SCORES}_bucket[{recent}]))"),
        Record(earlier, f"sum_over_time({rate}[{before}:{recent}] offset {recent}) * {recent_seconds}"),
        Record(
            distance,
            f"max by ({OF}) (abs(\n(\n{share(rate)}\n)\n-\n(\n{share(earlier)}\n)\n))",
        ),
        Alert(
            name="ScoreDistributionDrift",
            expression=f"{distance} > {limits.distance:g}\n"
            f"and\n{counted(rate)} * {recent_seconds} >= {limits.minimum_scores}\n"
            f"and\n{counted(earlier)} >= {limits.minimum_scores}",
            hold="15m" if recent_seconds >= 3600 else recent,
            severity=Severity.TICKET,
            summary=f"{WHO} scores otherwise than before",
            description=f'The scores of the last {recent} lie {{{{ $value | printf "%.2f" }}}} from those of the'
            f" {before} before (Kolmogorov-Smirnov distance); {limits.distance:g} is the limit.",
            action="See whether the model, the index or the questions changed at that time; only the last is no fault.",
            panel=Panel("cross-encoder", "cross-encoder-scores"),
        ),
    )


def _stale(levels: ServiceLevels) -> tuple[Record | Alert, ...]:
    days = levels.freshness.index_age_days
    age, limit = "endpoint_track:endpoint_index_age_seconds:max", f"{days * 86_400:.15g}"
    return (
        Record(age, f"time() - min by ({OF}) (endpoint_index_created_timestamp_seconds)"),
        Record("endpoint_track:endpoint_index_stale:bool", f"{age} > bool {limit}"),
        Alert(
            name="IndexStale",
            expression=f"{age} > {limit}",
            hold="5m",
            severity=Severity.TICKET,
            summary=f"{WHO} searches an old index",
            description=f"The index was made {{{{ $value | humanizeDuration }}}} ago; {days:g} days is the limit.",
            action="Train or build a bundle from the law as it is now, and serve that.",
            panel=Panel("overview", "index-age"),
            labels={"slo": "freshness"},
        ),
    )


def _circuit(levels: ServiceLevels) -> Alert:
    return Alert(
        name="RerankerCircuitOpen",
        expression=f'sum by ({OF}) (increase(endpoint_fallbacks_total{{reason="circuit_open"}}[5m]))'
        f" > {levels.minimum_bad_requests - 0.5:g}",
        hold="1m",
        severity=Severity.TICKET,
        summary=f"{WHO} does not ask the reranker any more",
        description='{{ $value | printf "%.0f" }} questions of the last 5 minutes were answered in the first stage\'s'
        " order, for the reranker had failed several times in a row.",
        action="See that the cross-encoder service is ready and answers within RETRIEVER_RERANK_BUDGET_SECONDS.",
        panel=Panel("overview", "reranked-share"),
    )
