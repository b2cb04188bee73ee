"""Numbers as people read them, with their unit."""

from __future__ import annotations

import math
from itertools import pairwise

from monitoring.dashboards.panels import Unit

_SUFFIXES = {
    Unit.REQUESTS_PER_SECOND: "/s",
    Unit.TOKENS_PER_SECOND: "/s",
    Unit.DOLLARS_PER_HOUR: "/h",
}
_TIMES = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


def figure(value: float, unit: Unit) -> str:
    """A value with its unit.

    >>> figure(0.0123, Unit.SHARE), figure(0.0123, Unit.SECONDS), figure(93_600, Unit.AGE), figure(12_345, Unit.COUNT)
    ('1.23 %', '12.3 ms', '1 d 2 h', '12,345')
    """
    if unit is Unit.SHARE:
        return f"{_digits(100.0 * value)} %"
    if unit in {Unit.SECONDS, Unit.AGE}:
        return _duration(value)
    before = "$" if unit in {Unit.DOLLARS, Unit.DOLLARS_PER_HOUR} else ""
    return f"{before}{_digits(value)}{_SUFFIXES.get(unit, '')}"


def _digits(value: float) -> str:
    """Three digits that count; just below 100 more, for 99.99 % are not all."""
    size = abs(value)
    if size >= 100.0 or size == round(size):
        return f"{value:,.0f}"
    if size < 0.0001:
        return f"{value:.2g}"
    decimals = 2 - math.floor(math.log10(size))
    if size > 99.0:
        decimals = 1 - math.floor(math.log10(100.0 - size))
    return f"{value:.{min(decimals, 6)}f}".rstrip("0").rstrip(".")


def _duration(seconds: float) -> str:
    size = abs(seconds)
    if size < 1.0:
        return f"{_digits(1000.0 * seconds)} ms" if size else "0 s"
    if size < 120.0:
        return f"{_digits(seconds)} s"
    for (large, name), (small, below) in pairwise((*_TIMES, (1.0, "s"))):
        whole, rest = divmod(round(size / small), round(large / small))
        if whole:
            sign = "-" if seconds < 0 else ""
            return f"{sign}{whole} {name} {rest} {below}" if rest else f"{sign}{whole} {name}"
    return f"{_digits(seconds)} s"
