"""Alerts that fire, with the way to panel and runbook; what Alertmanager does with them, where it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from monitoring.page.prometheus import QueryError, Server

_MOST_TEXT = 600


@dataclass(frozen=True)
class FiringAlert:
    """An alert that fires.

    Attributes:
        name: Of its rule.
        severity: Label of its rule; empty where there is none.
        of: Its other labels in words.
        summary: Annotation.
        description: Annotation.
        action: Annotation.
        since: Unix time.
        panel: Address on this page; empty where it names none.
        runbook: Address on this page; empty where it names none.
        quiet: Why nobody is told: silenced or inhibited; empty where somebody is, or Alertmanager is not asked.
    """

    name: str
    severity: str
    of: str
    summary: str
    description: str
    action: str
    since: float
    panel: str
    runbook: str
    quiet: str = ""


@dataclass(frozen=True)
class AlertsNow:
    """What is known of alerts.

    Attributes:
        firing: Pages first, then the longest firing.
        pending: How many wait for their time.
        rules: How many alerting rules Prometheus has.
        trouble: Why less is known; empty where all is.
        away: Whether Prometheus does not answer.
    """

    firing: tuple[FiringAlert, ...] = ()
    pending: int = 0
    rules: int = 0
    trouble: str = ""
    away: bool = False


async def alerts_now(prometheus: Server, alertmanager: Server | None, panels: Mapping[str, str]) -> AlertsNow:
    """Ask both.

    Args:
        prometheus: Knows the alerts.
        alertmanager: Knows which of them are silenced; None is not asked.
        panels: Dashboards by ids of their panels; links to others are left out.
    """
    try:
        rules = _rules(await prometheus.read("/api/v1/rules?type=alert"))
    except QueryError as error:
        return AlertsNow(trouble=str(error), away=error.away)
    alerts = [(rule, one) for rule in rules for one in rule.get("alerts", [])]
    quiet, trouble = await _quiet(alertmanager)
    firing = [_alert(one, quiet, panels) for _, one in alerts if one.get("state") == "firing"]
    firing.sort(key=lambda alert: (alert.severity != "page", alert.since, alert.name))
    pending = sum(1 for _, one in alerts if one.get("state") == "pending")
    return AlertsNow(tuple(firing), pending, len(rules), trouble)


def _rules(body: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
    try:
        return [rule for group in body["data"]["groups"] for rule in group["rules"]]
    except (KeyError, TypeError) as error:
        raise QueryError("Prometheus answered something else than rules; is it Prometheus?", away=True) from error


async def _quiet(alertmanager: Server | None) -> tuple[dict[frozenset[tuple[str, str]], str], str]:
    """Why nobody is told, by labels; and why that is not known."""
    if alertmanager is None:
        return {}, ""
    try:
        async with asyncio.timeout(5.0):
            alerts = await alertmanager.read("/api/v2/alerts?active=false&silenced=true&inhibited=true")
        return {
            frozenset(one["labels"].items()): "silenced" if one["status"]["silencedBy"] else "inhibited"
            for one in alerts
        }, ""
    except (QueryError, TimeoutError) as error:
        return {}, f"{error or 'Alertmanager did not answer in time'}; alerts reach nobody while it is away"
    except (KeyError, TypeError, AttributeError):
        return {}, f"Alertmanager at {alertmanager.url} answered something else than alerts; is it Alertmanager?"


def _alert(
    found: Mapping[str, Any], quiet: Mapping[frozenset[tuple[str, str]], str], panels: Mapping[str, str]
) -> FiringAlert:
    labels, notes = dict(found.get("labels", {})), dict(found.get("annotations", {}))
    others = {key: value for key, value in labels.items() if key not in {"alertname", "severity"}}
    panel = urlsplit(str(notes.get("panel_url", ""))).fragment
    runbook = urlsplit(str(notes.get("runbook_url", ""))).fragment
    return FiringAlert(
        name=str(labels.get("alertname", "")),
        severity=str(labels.get("severity", "")),
        of=", ".join(f"{key} {value}" for key, value in sorted(others.items()))[:_MOST_TEXT],
        summary=str(notes.get("summary", ""))[:_MOST_TEXT],
        description=str(notes.get("description", ""))[:_MOST_TEXT],
        action=str(notes.get("action", ""))[:_MOST_TEXT],
        since=_unix(str(found.get("activeAt", ""))),
        panel=f"/{panels[panel]}#{panel}" if panel in panels else "",
        runbook=f"/runbooks#{runbook}" if runbook.isalnum() else "",
        quiet=quiet.get(frozenset(labels.items()), ""),
    )


def _unix(text: str) -> float:
    """Seconds; nine digits of a second are more than Python reads."""
    head, dot, rest = text.partition(".")
    try:
        return datetime.fromisoformat(f"{head}+00:00" if dot and rest.endswith("Z") else text).timestamp()
    except ValueError:
        return 0.0
