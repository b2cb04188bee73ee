"""States over time: a row a series, green and red with words for who sees neither."""

from __future__ import annotations

from itertools import groupby, pairwise

from monitoring.dashboards.panels import Panel
from monitoring.page.charts.axes import WIDTH, moments
from monitoring.page.markup import Markup, tag
from monitoring.page.panel_data import Line, PanelData
from monitoring.page.window import STEPS, Window

_STEP = WIDTH / (STEPS + 1)
_ROW = 20


def states(panel: Panel, data: PanelData, window: Window) -> Markup:
    """The rows, with their state of now in words."""
    rows = [_row(panel, line, window) for line in data.lines]
    more = f"{data.left_out} more are not drawn; choose fewer above" if data.left_out else None
    note = tag("p", more, class_="note") if more else None
    return tag("div", tag("ul", *rows), moments(window), note, class_="states")


def _row(panel: Panel, line: Line, window: Window) -> Markup:
    runs = _runs(line)
    last = line.values[-1] if line.values[-1] is not None else line.values[-2]
    ended = panel.states[0] if panel.one_is_bad else "gone"  # an alert that does not fire has no series
    now, kind = (ended, "none") if last is None else (_word(panel, last), _kind(panel, last))
    rects = [
        tag("rect", tag("title", _told(panel, value, first, count, window)), x=round(first * _STEP, 2), y=0,
            width=round(count * _STEP, 2), height=_ROW, class_=f"state {_kind(panel, value)}")
        for first, count, value in runs
    ]  # fmt: skip
    changes = sum(1 for before, after in pairwise(runs) if before[2] != after[2])
    says = f"{line.name}: {now}; changed {changes} times in this time"
    picture = tag("svg", *rects, viewBox=f"0 0 {WIDTH} {_ROW}", preserveAspectRatio="none", role="img", aria_label=says)
    name = tag("span", line.name, class_="name")
    return tag("li", name, tag("span", now, class_=f"now {kind}"), picture)


def _runs(line: Line) -> list[tuple[int, int, float]]:
    """Where each state begins, how many steps it lasts, and which it is; without gaps."""
    found, place = [], 0
    for value, group in groupby(line.values):
        count = len(list(group))
        if value is not None:
            found.append((place, count, value))
        place += count
    return found


def _kind(panel: Panel, value: float) -> str:
    return "good" if (value >= 1.0) != panel.one_is_bad else "bad"


def _word(panel: Panel, value: float) -> str:
    return panel.states[1 if value >= 1.0 else 0]


def _told(panel: Panel, value: float, first: int, count: int, window: Window) -> str:
    times = window.times
    return f"{_word(panel, value)} {window.said(times[first])} to {window.said(times[first + count - 1])}"
