"""The pipelines' dashboard: outcome, duration, quality and gates of runs, which they push when they end."""

from __future__ import annotations

from monitoring.dashboards.panels import Dashboard, Kind, Limit, Panel, Query, Section, Unit, Variable
from monitoring.slo import ServiceLevels

_CHOSEN = '{pipeline=~"$pipeline"}'
_NO_RUN = "No run has told the Pushgateway of itself yet."
_DAY = 86_400


def pipeline(levels: ServiceLevels) -> Dashboard:
    """The dashboard.

    Args:
        levels: With the longest time between two successes.
    """
    return Dashboard(
        id="pipeline",
        title="Pipelines",
        says="Whether training, evaluation, promotion and what else runs now and then did run, and how good it was.",
        variables=(Variable("pipeline", "Pipeline", "pipeline_run_success"),),
        sections=(Section("Runs", _runs(levels)), Section("Quality", _quality())),
    )


def _runs(levels: ServiceLevels) -> tuple[Panel, ...]:
    gaps = levels.pipelines.longest_gap_days
    strictest = min(gaps, key=gaps.__getitem__, default=None)
    return (
        Panel(
            id="pipeline-outcome",
            title="Outcome of the last run",
            shows="Whether the last run of each pipeline succeeded.",
            normal="succeeded.",
            action="read the run's log in the ZenML dashboard (make dashboard), mend it, and start the pipeline again.",
            empty=_NO_RUN,
            unit=Unit.STATE,
            kind=Kind.STATE,
            queries=(Query(f"min by (pipeline) (pipeline_run_success{_CHOSEN})", "{{pipeline}}"),),
            states=("failed", "succeeded"),
        ),
        Panel(
            id="pipeline-last-success",
            title="Since the last success",
            shows="Time since each pipeline last succeeded.",
            normal="; ".join(f"{name} within {days:g} days" for name, days in sorted(gaps.items())) + "."
            if gaps
            else "as often as it is started.",
            action="see whether it still runs and fails, or whether its schedule has stopped.",
            empty="No run has succeeded since the Pushgateway began to remember.",
            unit=Unit.AGE,
            kind=Kind.STAT,
            queries=(
                Query(f"time() - max by (pipeline) (pipeline_last_success_timestamp_seconds{_CHOSEN})", "{{pipeline}}"),
            ),
            limit=_gap(strictest, gaps[strictest]) if strictest else None,
        ),
        Panel(
            id="pipeline-pushes-dropped",
            title="Pushes lost",
            shows="Measures that pipelines could not hand to the Pushgateway, since they began to count.",
            normal="0.",
            action="see that the Pushgateway answers from where the pipeline runs.",
            empty=_NO_RUN,
            unit=Unit.COUNT,
            kind=Kind.STAT,
            queries=(Query(f"max by (pipeline) (pipeline_pushes_dropped_total{_CHOSEN})", "{{pipeline}}"),),
            limit=Limit(0.0, "none may be lost"),
        ),
        Panel(
            id="pipeline-duration",
            title="Duration of the last run",
            shows="Time that the last run of each pipeline took.",
            normal="about as long as the runs before it.",
            action="a longer one read more data or shared its machine; a shorter one took steps from the cache.",
            empty=_NO_RUN,
            unit=Unit.SECONDS,
            kind=Kind.TIME_SERIES,
            queries=(Query(f"max by (pipeline) (pipeline_run_duration_seconds{_CHOSEN})", "{{pipeline}}"),),
            width=24,
        ),
    )


def _gap(name: str, days: float) -> Limit:
    return Limit(days * _DAY, f"limit {days:g} days, of {name}")


def _quality() -> tuple[Panel, ...]:
    return (
        Panel(
            id="pipeline-evaluation",
            title="Retrieval quality",
            shows="Measures of the last evaluation, of the first stage and after reranking.",
            normal="as before, or better; reranked above the first stage.",
            action="a fall means other data or a worse model: compare the runs' reports before it is promoted.",
            empty="No evaluation has told the Pushgateway of itself yet.",
            unit=Unit.SCORE,
            kind=Kind.TIME_SERIES,
            queries=(
                Query(
                    f"max by (pipeline, metric, stage, queries) (pipeline_evaluation_value{_CHOSEN})",
                    "{{pipeline}} {{metric}} {{stage}} ({{queries}})",
                ),
            ),
        ),
        Panel(
            id="pipeline-gates",
            title="Gates",
            shows="Which gates the last candidate passed on its way to production.",
            normal="passed; a gate that stops a bad candidate does its work.",
            action="the run's report says by how much it was missed.",
            empty="No gate has told the Pushgateway of itself yet.",
            unit=Unit.STATE,
            kind=Kind.STATE,
            queries=(Query(f"min by (pipeline, gate) (pipeline_gate_passed{_CHOSEN})", "{{pipeline}} {{gate}}"),),
            states=("stopped", "passed"),
        ),
    )
