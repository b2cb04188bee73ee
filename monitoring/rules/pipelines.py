"""Alerts on pipeline runs, which tell of themselves through the Pushgateway."""

from __future__ import annotations

from monitoring.rules.model import Alert, Group, Panel, Record, Severity
from monitoring.slo import ServiceLevels

_LAST = "pipeline:pipeline_last_success_timestamp_seconds:max"
_DROPPED = "pipeline_pushes_dropped_total"


def pipelines(levels: ServiceLevels) -> Group:
    """Rules on runs."""
    return Group(
        "pipelines", "runs that failed, are missing or cannot tell", (_failed(), *_missing(levels), *_pushes())
    )


def _failed() -> Alert:
    return Alert(
        name="PipelineFailed",
        expression="min by (pipeline) (pipeline_run_success) == 0",
        severity=Severity.TICKET,
        summary="the last run of pipeline {{ $labels.pipeline }} failed",
        description="pipeline_run_success of {{ $labels.pipeline }} is {{ $value }}; the alert ends with a run that"
        " succeeds.",
        action="Read the run's log in the ZenML dashboard (make dashboard), mend it, and start the pipeline again.",
        panel=Panel("pipeline", "pipeline-outcome"),
    )


def _missing(levels: ServiceLevels) -> tuple[Record | Alert, ...]:
    """Limits by pipeline; what the Pushgateway has forgotten, as after a restart, is remembered by the record."""
    record = Record(
        _LAST, f"max by (pipeline) (pipeline_last_success_timestamp_seconds)\nor\nlast_over_time({_LAST}[1h])"
    )
    late = "\nor\n".join(
        f'time() - {_LAST}{{pipeline="{name}"}} > {days * 86_400:.15g}'
        for name, days in sorted(levels.pipelines.longest_gap_days.items())
    )
    if not late:
        return (record,)
    missing = Alert(
        name="PipelineMissing",
        expression=late,
        hold="5m",
        severity=Severity.TICKET,
        summary="pipeline {{ $labels.pipeline }} has not succeeded for too long",
        description="Its last success was {{ $value | humanizeDuration }} ago.",
        action="See whether it still runs and fails, or whether its schedule has stopped; start it by hand.",
        panel=Panel("pipeline", "pipeline-last-success"),
    )
    return record, missing


def _pushes() -> tuple[Alert, ...]:
    panel = Panel("pipeline", "pipeline-pushes-dropped")
    return (
        Alert(
            name="PipelinePushesDropped",
            # the counter may come with its first value, in which no function sees an increase
            expression=f"max by (pipeline) (increase({_DROPPED}[1d])) > 0\nor\n"
            f"max by (pipeline) ({_DROPPED} > 0 unless {_DROPPED} offset 1d)",
            severity=Severity.TICKET,
            summary="measures of pipeline {{ $labels.pipeline }} were lost",
            description='In the last day {{ $value | printf "%.0f" }} pushes of {{ $labels.pipeline }} did not arrive.',
            action="See that the Pushgateway answers from where the pipeline runs.",
            panel=panel,
        ),
        Alert(
            name="PipelinePushRefused",
            expression="max by (pipeline) (push_failure_time_seconds)\n>\nmax by (pipeline) (push_time_seconds)",
            hold="1m",
            severity=Severity.TICKET,
            summary="the Pushgateway refused what pipeline {{ $labels.pipeline }} told",
            description='Its last push was refused at Unix time {{ $value | printf "%.0f" }}; no later one went well.',
            action="Read the Pushgateway's log; two groups that give one metric different types are the usual reason.",
            panel=panel,
        ),
    )
