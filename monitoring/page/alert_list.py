"""The list of firing alerts above the panels."""

from __future__ import annotations

from datetime import datetime

from monitoring.page.alerts import AlertsNow, FiringAlert
from monitoring.page.markup import Markup, join, tag

_MOST = 30


def alert_list(alerts: AlertsNow) -> Markup:
    """What fires, or that nothing does, and what stands in the way of knowing."""
    mend = " Start it, or name another with --prometheus; this page asks again by itself." if alerts.away else ""
    trouble = tag("p", f"{alerts.trouble}.{mend}", class_="trouble") if alerts.trouble else None
    items = [_item(alert) for alert in alerts.firing[:_MOST]]
    more = len(alerts.firing) - len(items)
    said = tag("p", _said(alerts), class_="calm") if not alerts.away else None
    listed = tag("ul", *items, class_="alerts") if items else said
    rest = tag("p", f"{more} more fire.", class_="note") if more > 0 else None
    title = "Firing alerts" if items else "Alerts"
    return tag(
        "section",
        tag("h2", title, class_=None if items else "unseen"),
        trouble,
        listed,
        rest,
        id="alerts",
        class_="firing" if items else None,
    )


def _said(alerts: AlertsNow) -> Markup:
    if not alerts.rules:
        text = "Prometheus has no alert rules, so that nothing can fire; give it monitoring/prometheus/rules."
        return tag("span", text, class_="warn")
    sign = tag("span", "✓ ", aria_hidden="true")
    waiting = f"; {alerts.pending} would, if it lasts" if alerts.pending else ""
    return join(sign, f"No alert fires, of {alerts.rules} rules{waiting}.")


def _item(alert: FiringAlert) -> Markup:
    began = datetime.fromtimestamp(alert.since).astimezone()
    badges = [tag("span", alert.severity or "alert", class_="badge page" if alert.severity == "page" else "badge")]
    badges += [tag("span", alert.quiet, class_="badge quieted")] if alert.quiet else []
    ways = [
        tag("a", text, tag("span", f" of {alert.name}", class_="unseen"), href=address)
        for text, address in (("Panel", alert.panel), ("Runbook", alert.runbook))
        if address
    ]
    head = tag("p", *badges, tag("strong", alert.name), f" since {began:%a %H:%M:%S}", class_="alert-head")
    more = " ".join(text for text in (alert.description, alert.action) if text)
    return tag("li", head, tag("p", alert.summary or alert.of), tag("p", more, class_="soft") if more else None,
               tag("p", *ways, class_="ways") if ways else None)  # fmt: skip
