"""Axes: round numbers beside a picture, round moments below it, and the lines between."""

from __future__ import annotations

import math
from dataclasses import dataclass

from monitoring.dashboards.panels import Unit
from monitoring.page.figures import figure
from monitoring.page.markup import Markup, join, tag
from monitoring.page.window import Window

WIDTH, HEIGHT = 1_000, 180
"""Of a picture, in its own units; it is as wide as there is room, and its lines stay as thick."""
_INTERVALS = 4
_EDGE = 0.04
"""Share of the width in which a text below the picture would reach over its edge."""
_TIME_BASES = (1.0, 60.0, 3_600.0, 86_400.0)


@dataclass(frozen=True)
class Scale:
    """From values to places.

    Attributes:
        low: At the bottom.
        high: At the top.
        ticks: Round values from bottom to top.
    """

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def around(cls, lowest: float, highest: float, unit: Unit) -> Scale:
        """A scale with 0 that holds all values between two."""
        low, high = min(0.0, lowest), max(0.0, highest)
        if high <= low:
            high = low + 1.0
        if unit is Unit.SHARE and high <= 1.0 < 1.25 * high and low >= 0.0:
            return cls(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))
        step = _round_step((high - low) / _INTERVALS, unit)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        return cls(first * step, last * step, tuple(number * step for number in range(first, last + 1)))

    def place(self, value: float) -> float:
        """Units from the top."""
        return round(HEIGHT * (self.high - value) / (self.high - self.low), 2)


def _round_step(least: float, unit: Unit) -> float:
    """The next of 1, 2, 2.5 and 5 times a power of ten; of seconds above a minute, times a minute, an hour or a day."""
    base = 1.0
    if unit in {Unit.SECONDS, Unit.AGE}:
        base = max(one for one in _TIME_BASES if one <= max(1.0, least))
    size = least / base
    power = 10.0 ** math.floor(math.log10(size))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0):
        if factor * power >= size * (1 - 1e-9):
            step = factor * power * base
            return max(1.0, round(step)) if unit in {Unit.COUNT, Unit.ROWS} else step
    return 10.0 * power * base


def beside(labels: list[tuple[float, str]]) -> Markup:
    """What stands beside a picture, each at its place from the top."""
    texts = [tag("text", text, x="100%", y=place, dy="0.32em") for place, text in labels]
    return tag("svg", *texts, class_="y-axis", aria_hidden="true", focusable="false")


def numbers(scale: Scale, unit: Unit) -> Markup:
    """The scale's round values."""
    return beside([(scale.place(value), figure(value, unit)) for value in scale.ticks])


def moments(window: Window) -> Markup:
    """What stands below a picture; nothing at its left edge, where on a phone it would touch the next one."""
    texts = []
    for place, text in window.ticks():
        if place < _EDGE:
            continue
        anchor = "end" if place > 1 - _EDGE else "middle"
        texts.append(tag("text", text, x=f"{100 * place:.2f}%", y="1em", text_anchor=anchor))
    return tag("svg", *texts, class_="x-axis", aria_hidden="true", focusable="false")


def grid(scale: Scale, window: Window) -> Markup:
    """Fine lines at the round values and moments."""
    across = "".join(f"M0 {scale.place(value):g}H{WIDTH}" for value in scale.ticks)
    return join(tag("path", d=across, class_="grid"), upright(window))


def upright(window: Window) -> Markup:
    """Fine lines at the round moments."""
    return tag("path", d="".join(f"M{WIDTH * place:.1f} 0V{HEIGHT}" for place, _ in window.ticks()), class_="grid")


def column(number: int, steps: int) -> float:
    """Where a step lies."""
    return round(WIDTH * number / steps, 2)
