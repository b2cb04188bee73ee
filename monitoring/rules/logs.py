"""Alerts on what services write, in LogQL for Loki's ruler: of what no metric counts, with the line that says why."""

from __future__ import annotations

from monitoring.rules.model import Alert, Group, Panel, Severity

_SERVICES = 'service=~"gateway|bi-encoder|cross-encoder"'
_ERRORS = f'{_SERVICES}, level=~"ERROR|CRITICAL"'
_CANNOT_SERVE = " cannot serve: "
"""In the line of a service that could not load its bundle; its process ends after it."""
_PANEL = Panel("overview", "logs-errors")
_LABELS = {"endpoint": "{{ $labels.service }}"}
"""Alertmanager groups and inhibits by ``endpoint``; Loki's streams call the same ``service``."""


def logs() -> Group:
    """Rules on lines; each alert ends once its window holds no such line any more."""
    return Group("logs", "what services write", (_bundle(), _unhandled(), _burst(), _circuit()))


def _bundle() -> Alert:
    return Alert(
        name="LogBundleNotLoaded",
        expression=_lines(f'{{{_SERVICES}, level="ERROR"}} |= "{_CANNOT_SERVE}"', "10m", 0),
        severity=Severity.PAGE,
        summary="{{ $labels.service }} ({{ $labels.track }}) cannot load its bundle",
        description="It said so {{ $value }} times in 10 minutes, and ended each time.",
        action="Read the line: it says what is wrong and in which folder. Serve the former bundle, or fetch it again.",
        panel=_PANEL,
        labels=_LABELS,
    )


def _unhandled() -> Alert:
    query = f'{{{_ERRORS}}} != "{_CANNOT_SERVE}" | json | exception != ""'
    return Alert(
        name="LogUnhandledException",
        expression=_lines(query, "10m", 0),
        severity=Severity.TICKET,
        summary="{{ $labels.service }} ({{ $labels.track }}) met an error that nobody had foreseen",
        description="It wrote {{ $value }} tracebacks in 10 minutes.",
        action="Read the first traceback, and see by its request id what was asked.",
        panel=_PANEL,
        labels=_LABELS,
    )


def _burst() -> Alert:
    return Alert(
        name="LogErrorBurst",
        expression=_lines(f"{{{_ERRORS}}}", "5m", 20),
        severity=Severity.TICKET,
        summary="{{ $labels.service }} ({{ $labels.track }}) writes many errors",
        description="{{ $value }} lines of level ERROR or CRITICAL in 5 minutes; normal is none.",
        action="Read which message comes most often, and since when.",
        panel=_PANEL,
        labels=_LABELS,
    )


def _circuit() -> Alert:
    return Alert(
        name="LogCircuitOpen",
        expression=_lines('{service="gateway", level="WARNING"} |= "the circuit is open for "', "10m", 0),
        severity=Severity.TICKET,
        summary="gateway ({{ $labels.track }}) stopped asking the reranker",
        description="Its circuit opened {{ $value }} times in 10 minutes; answers keep the first stage's order.",
        action="Read the warnings before it, which say why the reranker failed, and look at the cross-encoder.",
        panel=_PANEL,
        labels=_LABELS,
    )


def _lines(query: str, window: str, most: int) -> str:
    """More lines of one service and track than ``most`` within a window."""
    return f"sum by (service, track) (count_over_time({query} [{window}])) > {most}"
