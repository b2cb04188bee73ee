"""How many observations fell between which bounds at which time: darker is more."""

from __future__ import annotations

import math

from monitoring.dashboards.panels import Panel, Unit
from monitoring.page.charts.axes import HEIGHT, WIDTH, beside, column, upright
from monitoring.page.charts.frame import framed
from monitoring.page.figures import figure
from monitoring.page.markup import Markup, join, tag
from monitoring.page.panel_data import PanelData
from monitoring.page.window import STEPS, Window

SHADES = 6
_CELL = WIDTH / STEPS
_FEWEST = 0.5
"""Less than this is not one observation, but the rest of an extrapolated rate."""


def heatmap(panel: Panel, data: PanelData, window: Window) -> Markup:
    """The picture and the meaning of its shades."""
    bounds, cells = _between(data)
    most = max((value for row in cells for value in row), default=0.0)
    height = HEIGHT / len(bounds)
    names = [_name(bounds, number, panel.unit) for number in range(len(bounds))]
    inside = join(upright(window), *_shaded(cells, most, height))
    axis = beside([(HEIGHT - height * number, _bound(bound, panel.unit)) for number, bound in enumerate(bounds, 1)])
    values = [
        (name, [f"{value:,.0f}" if value >= _FEWEST else "" for value in row])
        for name, row in zip(reversed(names), reversed(cells), strict=True)
    ]
    picture = framed(_said(panel, names, cells), axis, inside, window, values)
    return join(picture, _shades(most))


def _between(data: PanelData) -> tuple[list[float], list[list[float]]]:
    """Bounds from low to high, and for each of them how many lie between it and the one below, step by step."""
    cumulated = sorted((float(line.labels.get("le", "inf")), line.values) for line in data.lines)
    bounds, cells = [bound for bound, _ in cumulated], []
    below: list[float] = [0.0] * (STEPS + 1)
    for _, values in cumulated:
        now = [value or 0.0 for value in values]
        cells.append([max(0.0, one - other) for one, other in zip(now, below, strict=True)])
        below = now
    return bounds, cells


def _shade(value: float, most: float) -> int:
    """From 1 to `SHADES`, by the root, so that few are seen beside many."""
    return min(SHADES, 1 + math.floor(SHADES * math.sqrt(value / most) * 0.9999))


def _shaded(cells: list[list[float]], most: float, height: float) -> list[Markup]:
    parts: dict[int, list[str]] = {shade: [] for shade in range(1, SHADES + 1)}
    for row, values in enumerate(cells):
        y = HEIGHT - height * (row + 1)
        for number, value in enumerate(values):
            if value >= _FEWEST:
                x = min(max(column(number, STEPS) - _CELL / 2, 0.0), WIDTH - _CELL)
                cell = f"M{x:g} {y:g}h{_CELL:g}v{height:g}h{-_CELL:g}z"
                parts[_shade(value, most)].append(cell)
    return [tag("path", d="".join(found), class_=f"heat h{shade}") for shade, found in parts.items() if found]


def _bound(bound: float, unit: Unit) -> str:
    return "more" if math.isinf(bound) else figure(bound, unit)


def _name(bounds: list[float], number: int, unit: Unit) -> str:
    if math.isinf(bounds[number]):
        return f"above {_bound(bounds[number - 1], unit)}" if number else "all"
    low = _bound(bounds[number - 1], unit) if number else "0"
    return f"{low} to {_bound(bounds[number], unit)}"


def _said(panel: Panel, names: list[str], cells: list[list[float]]) -> str:
    totals = sorted(((sum(row), name) for name, row in zip(names, cells, strict=True)), reverse=True)
    often = "; ".join(name for total, name in totals[:3] if total >= _FEWEST)
    return f"{panel.title}. Most often: {often or 'nothing'}. Arrow keys read values."


def _shades(most: float) -> Markup:
    swatches = [tag("i", class_=f"shade h{shade}") for shade in range(1, SHADES + 1)]
    return tag("p", "few ", *swatches, f" {max(most, 1.0):,.0f} at once", class_="note shades")
