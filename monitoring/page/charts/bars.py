"""Bars over time, those of one step on top of each other."""

from __future__ import annotations

from monitoring.dashboards.panels import Panel
from monitoring.page.charts.axes import WIDTH, Scale, column, grid, numbers
from monitoring.page.charts.frame import framed
from monitoring.page.charts.legend import colours, legend, said_at_once, split_zeros
from monitoring.page.figures import figure
from monitoring.page.markup import Markup, join, tag
from monitoring.page.panel_data import Line, PanelData
from monitoring.page.window import STEPS, Window

_BAR = 0.8 * WIDTH / STEPS


def bars(panel: Panel, data: PanelData, window: Window) -> Markup:
    """The picture and its legend."""
    drawn, zeros = split_zeros(data.lines)
    sums = [sum(line.values[number] or 0.0 for line in drawn) for number in range(STEPS + 1)]
    scale = Scale.around(0.0, max(sums), panel.unit)
    classes = colours(drawn)
    inside = join(grid(scale, window), *_stacked(drawn, classes, scale))
    values = [
        (line.name, ["" if value is None else figure(value, panel.unit) for value in line.values]) for line in drawn
    ]
    picture = framed(said_at_once(panel, data.lines), numbers(scale, panel.unit), inside, window, values)
    return join(picture, legend(panel, drawn, classes, zeros, data.left_out, limit_drawn=False))


def _stacked(drawn: list[Line], classes: dict[str, str], scale: Scale) -> list[Markup]:
    below = [0.0] * (STEPS + 1)
    paths = []
    for line in drawn:
        parts = []
        for number, value in enumerate(line.values):
            if value:
                bottom, top = scale.place(below[number]), scale.place(below[number] + value)
                x = min(max(column(number, STEPS) - _BAR / 2, 0.0), WIDTH - _BAR)
                parts.append(f"M{x:g} {bottom:g}V{top:g}h{_BAR:g}V{bottom:g}z")
                below[number] += value
        paths.append(tag("path", d="".join(parts), class_=f"bar {classes[line.name]}"))
    return paths
