"""Panels of what services write, which Loki answers; only Grafana draws them."""

from __future__ import annotations

from monitoring.dashboards.panels import Kind, Panel, Query, Source, Unit

_STREAM = '{service=~"gateway|bi-encoder|cross-encoder"}'
_ERRORS = '| json | level=~"ERROR|CRITICAL"'

LOGS = (
    Panel(
        id="logs-by-service",
        title="Errors in the logs",
        shows="Lines of level ERROR and above in five minutes, by service.",
        normal="none.",
        action="read them beside this, and follow a request's id through all services.",
        empty="No error was written in this time, if Loki is given the logs.",
        unit=Unit.COUNT,
        kind=Kind.BARS,
        queries=(Query(f"sum by (service) (count_over_time({_STREAM} {_ERRORS} [5m]))", "{{service}}"),),
        source=Source.LOKI,
        stacked=True,
    ),
    Panel(
        id="logs-errors",
        title="Latest errors",
        shows="The lines themselves, newest first.",
        normal="none.",
        action="a line's request_id and trace_id find what else belongs to it.",
        empty="No error was written in this time, if Loki is given the logs.",
        unit=Unit.COUNT,
        kind=Kind.LOGS,
        queries=(Query(f"{_STREAM} {_ERRORS}", ""),),
        source=Source.LOKI,
    ),
)
"""In the overview."""
