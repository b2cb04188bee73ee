"""What pictures over time share: the frame around them, and the words and numbers that a pointer finds in them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from monitoring.page.charts.axes import HEIGHT, WIDTH, moments
from monitoring.page.markup import Markup, tag
from monitoring.page.window import Window


def framed(says: str, axis: Markup, drawn: Markup, window: Window, values: Sequence[tuple[str, list[str]]]) -> Markup:
    """A picture with its axes.

    Args:
        says: What it shows, for who cannot see it.
        axis: What stands beside it.
        drawn: Its inside.
        window: The time shown.
        values: For each name a text for each step, empty where there is nothing.
    """
    cursor = tag("path", d=f"M0 0V{HEIGHT}", class_="cursor")
    picture = tag(
        "svg",
        drawn,
        cursor,
        class_="plot",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=says,
        tabindex="0",
        focusable="true",
    )
    return tag("div", axis, picture, moments(window), _readable(window, values), class_="chart")


def _readable(window: Window, values: Sequence[tuple[str, list[str]]]) -> Markup:
    """Data for the script that shows them; a ``<`` in it would end the element too early."""
    told = {
        "times": [window.said(moment) for moment in window.times],
        "series": [{"name": name, "values": texts} for name, texts in values],
    }
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return Markup(f'<script type="application/json">{text}</script>')
