"""What a rule is: records, alerts with all that a person needs at night, and groups of both, as Prometheus has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from monitoring.slo import SERVICES

PAGE_URL = "http://127.0.0.1:8110"
"""Where the page with panels and runbooks answers unless something else is said."""
SERVICE_JOBS = "|".join(SERVICES)
"""Scrape jobs of what answers requests, as a regular expression."""
OF = "endpoint, track"
"""Labels that most rules keep: versions and processes of one endpoint count together, stable and canary apart."""


class Severity(Enum):
    """Whether somebody is woken."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True)
class Panel:
    """Where to look: a panel of a dashboard.

    Attributes:
        dashboard: Its id.
        panel: The panel's id.
        per_model: Whether each of the two models has such a panel on a dashboard of its own, whose name goes before
            ``panel``; this one is then for what neither of them is.
    """

    dashboard: str
    panel: str
    per_model: str = ""

    def urls(self, page: str) -> dict[str, str]:
        """Address by endpoint; ``""`` stands for any other."""
        models = ("bi-encoder", "cross-encoder") if self.per_model else ()
        return {
            **{name: f"{page}/{name}#{name}-{self.per_model}" for name in models},
            "": f"{page}/{self.dashboard}#{self.panel}",
        }

    def template(self, page: str) -> str:
        """The address as an annotation."""
        urls = self.urls(page)
        text = urls.pop("")
        for name, url in urls.items():
            text = f'{{{{ if eq $labels.endpoint "{name}" }}}}{url}{{{{ else }}}}{text}{{{{ end }}}}'
        return text


@dataclass(frozen=True)
class Record:
    """A number that is computed at each evaluation and kept under a name of its own.

    Attributes:
        name: ``level:metric:operations``.
        expression: PromQL.
        labels: Set on it.
    """

    name: str
    expression: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def as_yaml(self, page: str) -> dict[str, Any]:
        """As Prometheus reads it."""
        del page
        labels = {"labels": dict(self.labels)} if self.labels else {}
        return {"record": self.name, "expr": self.expression.strip(), **labels}


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A condition that somebody is told of.

    Attributes:
        name: Of the alert, of its section in the runbooks, and of its tests.
        expression: PromQL; one alert for each series it gives.
        severity: Whether somebody is woken.
        summary: One line, with ``{{ $labels.NAME }}`` and nothing else that is computed.
        description: A sentence with the value.
        action: A sentence on what to do first.
        panel: Where to look.
        hold: How long the condition must last; Prometheus's ``for``.
        labels: Set on it besides the severity.
    """

    name: str
    expression: str
    severity: Severity
    summary: str
    description: str
    action: str
    panel: Panel
    hold: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def as_yaml(self, page: str) -> dict[str, Any]:
        """As Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expression.strip(),
            **({"for": self.hold} if self.hold else {}),
            "labels": {"severity": self.severity.value, **self.labels},
            "annotations": self.annotations(page),
        }

    def annotations(self, page: str) -> dict[str, str]:
        """What comes with it, as templates."""
        return {
            "summary": self.summary,
            "description": self.description,
            "action": self.action,
            "panel_url": self.panel.template(page),
            "runbook_url": f"{page}/runbooks#{self.name}",
        }

    def annotations_of(self, labels: Mapping[str, str], page: str) -> dict[str, str]:
        """The same for one alert, but for the description, which has the value."""
        urls = self.panel.urls(page)
        shown = {
            "summary": self.summary,
            "action": self.action,
            "panel_url": urls.get(labels.get("endpoint", ""), urls[""]),
            "runbook_url": f"{page}/runbooks#{self.name}",
        }
        return {name: _filled(text, labels) for name, text in shown.items()}


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated one after the other, so that an alert sees the records above it as they are now.

    Attributes:
        name: Of the group and of its file.
        says: What it is about, for the file's first line.
        rules: In order.
    """

    name: str
    says: str
    rules: tuple[Record | Alert, ...]

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Those that tell somebody."""
        return tuple(rule for rule in self.rules if isinstance(rule, Alert))

    def as_yaml(self, page: str) -> dict[str, Any]:
        """The file's contents."""
        return {"groups": [{"name": self.name, "rules": [rule.as_yaml(page) for rule in self.rules]}]}


def span(seconds: float) -> str:
    """A duration as Prometheus writes it: ``90s``, ``5m``, ``6h``, ``3d``."""
    whole = round(seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if whole % size == 0 and whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def _filled(text: str, labels: Mapping[str, str]) -> str:
    """A text with the values of labels in their places."""
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels.get(found[1], ""), text)
