"""Legends: which colour is what, with the newest, least and greatest value in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitoring.dashboards.panels import Panel
from monitoring.page.figures import figure
from monitoring.page.markup import Markup, join, tag
from monitoring.page.panel_data import Line

COLOURS = 8
_FEW = 4


def colours(lines: Sequence[Line]) -> dict[str, str]:
    """CSS classes by name: a colour for each key, dots for the second round of colours, dashes for canaries."""
    keys = list(dict.fromkeys(line.key for line in lines))
    found = {}
    for line in lines:
        place = keys.index(line.key)
        kind = " canary" if line.canary else " second" if place >= COLOURS else ""
        found[line.name] = f"s{place % COLOURS + 1}{kind}"
    return found


def split_zeros(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """Lines to draw, and those told in words because they are 0 all the time and would only hide each other."""
    zeros = [line for line in lines if not any(line.known)]
    if len(lines) <= _FEW or not zeros:
        return list(lines), []
    if len(zeros) == len(lines):
        return zeros[:1], zeros[1:]
    return [line for line in lines if any(line.known)], zeros


def said_at_once(panel: Panel, lines: Sequence[Line]) -> str:
    """A picture in words: its title and the newest value of each series."""
    told = [f"{line.name} {figure(line.last, panel.unit)}" for line in lines if line.last is not None]
    return f"{panel.title}. Newest values: {'; '.join(told)}. Arrow keys read values."


def legend(
    panel: Panel,
    lines: Sequence[Line],
    classes: Mapping[str, str],
    zeros: Sequence[Line],
    left_out: int,
    limit_drawn: bool,
) -> Markup:
    """The legend as a table, with what is not drawn told below it."""
    head = tag(
        "tr", tag("th", "series", scope="col"), *(tag("th", name, scope="col") for name in ("now", "min", "max"))
    )
    rows = [_row(panel, line, classes[line.name]) for line in lines]
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="legend")
    said = []
    if panel.limit and limit_drawn:
        said.append(join(swatch("limit"), panel.limit.says))
    elif panel.limit:
        said.append(join(f"{panel.limit.says}, beyond this picture"))
    if zeros:
        said.append(join(f"0 all the time: {', '.join(line.name for line in zeros)}"))
    if left_out:
        said.append(join(f"{left_out} more series are not drawn; choose fewer above"))
    return join(table, *(tag("p", one, class_="note") for one in said))


def swatch(kind: str) -> Markup:
    """A piece of a line, as it is drawn."""
    return tag("svg", tag("path", d="M1 5H23", class_=f"line {kind}"), class_="swatch", aria_hidden="true")


def _row(panel: Panel, line: Line, kind: str) -> Markup:
    last = "–" if line.values[-1] is None and line.values[-2:-1] == (None,) else figure(line.known[-1], panel.unit)
    cells = (last, figure(min(line.known), panel.unit), figure(max(line.known), panel.unit))
    return tag("tr", tag("th", swatch(kind), line.name, scope="row"), *(tag("td", text) for text in cells))
