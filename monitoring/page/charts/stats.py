"""Single numbers as of now, each beside its limit."""

from __future__ import annotations

from monitoring.dashboards.panels import Panel
from monitoring.page.figures import figure
from monitoring.page.markup import Markup, tag
from monitoring.page.panel_data import Line, PanelData


def stats(panel: Panel, data: PanelData) -> Markup:
    """The numbers; whether one is good is said by a sign, a word and a colour."""
    items = [_stat(panel, line) for line in data.lines]
    note = tag("p", panel.limit.says, class_="note") if panel.limit else None
    return tag("div", tag("ul", *items, class_="stats alone" if len(items) == 1 else "stats"), note)


def _stat(panel: Panel, line: Line) -> Markup:
    value = line.known[-1]
    name = tag("span", line.name, class_="name")
    if panel.limit is None:
        return tag("li", name, tag("strong", figure(value, panel.unit)), class_="plain")
    crossed = panel.limit.is_crossed(value)
    sign = tag("span", "✕" if crossed else "✓", class_="sign", aria_hidden="true")
    word = tag("span", "not good" if crossed else "good", class_="unseen")
    number = tag("strong", figure(value, panel.unit))
    return tag("li", name, number, sign, word, class_="bad" if crossed else "good")
