"""Lines over time, one a series; a canary's is dashed in the colour of what stands beside it."""

from __future__ import annotations

from collections.abc import Sequence

from monitoring.dashboards.panels import Limit, Panel
from monitoring.page.charts.axes import WIDTH, Scale, column, grid, numbers
from monitoring.page.charts.frame import framed
from monitoring.page.charts.legend import colours, legend, said_at_once, split_zeros
from monitoring.page.figures import figure
from monitoring.page.markup import Markup, join, tag
from monitoring.page.panel_data import Line, PanelData
from monitoring.page.window import STEPS, Window

_FAR = 4.0
"""A limit further above the values than this many times would press them flat; it is told and not drawn."""


def lines(panel: Panel, data: PanelData, window: Window) -> Markup:
    """The picture and its legend."""
    drawn, zeros = split_zeros(data.lines)
    highest = max(max(line.known) for line in drawn)
    lowest = min(min(line.known) for line in drawn)
    near = highest <= 0.0 or (panel.limit is not None and panel.limit.value <= _FAR * highest)
    limit = panel.limit if near else None
    scale = Scale.around(lowest, max(highest, limit.value) if limit else highest, panel.unit)
    classes = colours(drawn)
    paths = [tag("path", d=_path(line, scale), class_=f"line {classes[line.name]}") for line in drawn]
    inside = join(grid(scale, window), limit_line(limit, scale), *paths)
    values = [
        (line.name, ["" if value is None else figure(value, panel.unit) for value in line.values]) for line in drawn
    ]
    picture = framed(said_at_once(panel, data.lines), numbers(scale, panel.unit), inside, window, values)
    return join(picture, legend(panel, drawn, classes, zeros, data.left_out, limit is not None))


def limit_line(limit: Limit | None, scale: Scale) -> Markup | None:
    """The line that should not be crossed."""
    if limit is None or not scale.low <= limit.value <= scale.high:
        return None
    return tag("path", d=f"M0 {scale.place(limit.value):g}H{WIDTH}", class_="limit")


def _path(line: Line, scale: Scale) -> str:
    """Strokes between neighbours; a value alone is a stroke of no length, which its round ends make a dot."""
    parts: list[str] = []
    before: float | None = None
    for number, value in enumerate(line.values):
        if value is not None:
            x, y = column(number, STEPS), scale.place(value)
            alone = before is None and _next(line.values, number) is None
            parts.append(f"M{x:g} {y:g}h0" if alone else f"{'M' if before is None else 'L'}{x:g} {y:g}")
        before = value
    return "".join(parts)


def _next(values: Sequence[float | None], number: int) -> float | None:
    return values[number + 1] if number + 1 < len(values) else None
