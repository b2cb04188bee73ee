"""What a panel has to draw: its queries' series under their legends, or the reason why there is nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitoring.dashboards.panels import Dashboard, Kind, Panel, Query, Source
from monitoring.page.choices import Choices
from monitoring.page.prometheus import QueryError, Series, Server, as_of_now, over
from monitoring.page.window import Window

MOST_LINES = 16
"""Series that one picture tells apart; further ones are counted, not drawn."""
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True)
class Line:
    """A named series.

    Attributes:
        name: Its legend.
        key: Its legend without the track, so that a canary takes the colour of what stands beside it.
        canary: Whether it is of a canary.
        values: As of `Series`.
        labels: As of `Series`.
    """

    name: str
    key: str
    canary: bool
    values: tuple[float | None, ...]
    labels: Mapping[str, str]

    @property
    def last(self) -> float | None:
        """The newest value that there is."""
        return next((value for value in reversed(self.values) if value is not None), None)

    @property
    def known(self) -> list[float]:
        """Its values, without gaps."""
        return [value for value in self.values if value is not None]


@dataclass(frozen=True)
class PanelData:
    """What a panel has to draw.

    Attributes:
        lines: At most `MOST_LINES`, but all buckets of a heat map; empty where there is nothing.
        left_out: Further series.
        reason: Why there is nothing, in sentences.
        failed: Whether that is a fault of the monitoring.
    """

    lines: tuple[Line, ...] = ()
    left_out: int = 0
    reason: str = ""
    failed: bool = False


async def data_of(dashboard: Dashboard, choices: Choices, window: Window, server: Server) -> dict[str, PanelData]:
    """What the dashboard's panels have to draw, by their ids, without those that Prometheus cannot answer.

    Args:
        dashboard: Whose panels.
        choices: Of whoever looks.
        window: The time shown.
        server: Prometheus.
    """
    panels = [panel for panel in dashboard.panels if panel.source is Source.PROMETHEUS]
    asked = (_data_of_panel(panel, dashboard, choices, window, server) for panel in panels)
    found = dict(zip((panel.id for panel in panels), await asyncio.gather(*asked), strict=True))
    empty = [panel for panel in panels if not found[panel.id].lines and not found[panel.id].reason]
    missing = await _missing(empty, window, server)
    for panel in empty:
        found[panel.id] = PanelData(reason=_why_empty(panel, missing))
    return found


def nothing(dashboard: Dashboard, reason: str) -> dict[str, PanelData]:
    """The same where Prometheus answers nothing at all."""
    return {panel.id: PanelData(reason=reason, failed=True) for panel in dashboard.panels}


async def _data_of_panel(
    panel: Panel, dashboard: Dashboard, choices: Choices, window: Window, server: Server
) -> PanelData:
    ask = as_of_now if panel.kind is Kind.STAT else over
    asked = (
        ask(server, choices.filled(query.expression, dashboard, window.rate_seconds), window) for query in panel.queries
    )
    try:
        answers = await asyncio.gather(*asked)
    except QueryError as error:
        return PanelData(reason=str(error), failed=True)
    lines = [
        line
        for query, series in zip(panel.queries, answers, strict=True)
        for line in sorted((_line(query, one) for one in series), key=lambda line: line.name)
        if line.known
    ]
    most = len(lines) if panel.kind is Kind.HEATMAP else MOST_LINES
    return PanelData(tuple(lines[:most]), max(0, len(lines) - most))


def _line(query: Query, series: Series) -> Line:
    track = series.labels.get("track", "")
    name = _legend(query.legend, series.labels)
    key = _legend(query.legend, {**series.labels, "track": ""})
    return Line(name or "value", key, track == "canary", series.values, series.labels)


def _legend(template: str, labels: Mapping[str, str]) -> str:
    return " ".join(_LABEL.sub(lambda found: labels.get(found[1], ""), template).split())


async def _missing(panels: Sequence[Panel], window: Window, server: Server) -> frozenset[str]:
    """Metrics of these panels of which Prometheus has nothing in this time."""
    wanted = {name for panel in panels for name in panel.metrics if ":" not in name and name != "ALERTS"}
    if not wanted:
        return frozenset()
    pattern = "|".join(sorted(wanted))
    try:
        expression = f'count by (__name__) (last_over_time({{__name__=~"{pattern}"}}[{window.name}]))'
        found = await as_of_now(server, expression, window)
    except QueryError:
        return frozenset()
    return frozenset(wanted - {one.labels.get("__name__", "") for one in found})


def _why_empty(panel: Panel, missing: frozenset[str]) -> str:
    names = [name for name in panel.metrics if name in missing]
    known = f" Prometheus has no {' and no '.join(names)} in this time." if names else ""
    return f"{panel.empty}{known}"
