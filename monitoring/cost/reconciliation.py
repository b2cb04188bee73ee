"""Sets a provider's bill beside what we counted, by endpoint and day."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from monitoring.cost.bills import BilledRow
from monitoring.cost.own_seconds import Counted, Counts
from monitoring.cost.prices import Price, listed
from retrieval.errors import ConfigError

LEAST_USD = 0.01
"""Differences below a cent are the bill's rounding."""
LEAST_SECONDS = 60.0
"""Differences below a minute are the rounding of each worker's seconds and the edges of scrapes."""


@dataclass(frozen=True)
class Line:
    """An endpoint's day.

    Attributes:
        endpoint: As we call it.
        day: In UTC.
        ours: What we counted; None where nothing was.
        billed_usd: Dollars of compute on the bill.
        billed_seconds: Worker-seconds on the bill; None where it does not say.
        price: List price of the machine; None where the bill names none that is in the table.
    """

    endpoint: str
    day: date
    ours: Counted | None
    billed_usd: float
    billed_seconds: float | None
    price: Price | None

    @property
    def usd_difference(self) -> float:
        """Our dollars against the bill's, as a share of the bill; NaN where we counted nothing."""
        return _share(self.ours.usd, self.billed_usd) if self.ours else math.nan

    @property
    def seconds_difference(self) -> float:
        """The same of seconds; NaN where one side has none."""
        known = self.ours is not None and self.billed_seconds is not None
        return _share(self.ours.seconds, self.billed_seconds) if known else math.nan  # type: ignore[union-attr,arg-type]

    @property
    def implied_usd_per_second(self) -> float:
        """Price that the bill comes to: by its own seconds, else by ours; NaN without either."""
        seconds = self.billed_seconds if self.billed_seconds is not None else self.ours.seconds if self.ours else 0.0
        return self.billed_usd / seconds if seconds else math.nan

    def agrees(self, tolerance: float) -> bool:
        """Whether dollars, and seconds where the bill has them, differ by no more than a share of the bill."""
        if self.ours is None:
            return self.billed_usd < LEAST_USD and (self.billed_seconds or 0.0) < LEAST_SECONDS
        usd = abs(self.ours.usd - self.billed_usd)
        seconds = abs(self.ours.seconds - self.billed_seconds) if self.billed_seconds is not None else 0.0
        return usd <= max(LEAST_USD, tolerance * self.billed_usd) and seconds <= max(
            LEAST_SECONDS, tolerance * (self.billed_seconds or 0.0)
        )


def reconciled(
    bill: Sequence[BilledRow],
    counts: Counts,
    names: Mapping[str, str],
    price: Price | None = None,
    elsewhere: Collection[str] = (),
) -> list[Line]:
    """A line for each endpoint and day of the bill, and for each of its days on which only we counted dollars.

    Args:
        bill: Rows, several of an endpoint and day where it is by the hour or by GPU.
        counts: Of ours.
        names: Our name by the bill's; an empty name leaves an endpoint of the bill out.
        elsewhere: Our endpoints that are not on this bill.
        price: Of the machine, where the bill does not name it.

    Raises:
        ConfigError: If the bill has an endpoint that is neither ours nor named.
    """
    wanted = list(renamed(bill, counts, names))
    days, billed = {row.day for row in wanted}, {(row.endpoint, row.day) for row in wanted}
    only_ours = {
        key
        for key, counted in counts.items()
        if key[1] in days and key[0] not in elsewhere and counted.usd >= LEAST_USD
    }
    return [
        _line(*key, [row for row in wanted if (row.endpoint, row.day) == key], counts, price)
        for key in sorted(billed | only_ours)
    ]


def renamed(bill: Iterable[BilledRow], counts: Counts, names: Mapping[str, str]) -> Iterable[BilledRow]:
    """The rows under our endpoints' names, without those left out; arguments and errors as of `reconciled`."""
    ours = {endpoint for endpoint, _ in counts} | {name for name in names.values() if name}
    for row in bill:
        name = names.get(row.endpoint, row.endpoint)
        if row.endpoint not in names and ours and name not in ours:
            raise ConfigError(
                f"endpoint {row.endpoint} of the bill: is none of {', '.join(sorted(ours))}; say which with"
                f" --endpoint {row.endpoint}=NAME, or leave it out with --endpoint {row.endpoint}="
            )
        if name:
            yield BilledRow(name, row.day, row.usd, row.seconds, row.machine, row.other_usd)


def _line(endpoint: str, day: date, rows: Sequence[BilledRow], counts: Counts, price: Price | None) -> Line:
    seconds = [row.seconds for row in rows if row.seconds is not None]
    whole = sum(seconds) if seconds and len(seconds) == len(rows) else None
    known = {found for row in rows if (found := listed(row.machine)) is not None}
    one = known.pop() if len(known) == 1 else price
    return Line(endpoint, day, counts.get((endpoint, day)), sum(row.usd for row in rows), whole, one)


def _share(ours: float, billed: float) -> float:
    return (ours - billed) / billed if billed else 0.0 if not ours else math.inf


def report(lines: Sequence[Line], other_usd: float, tolerance: float) -> list[str]:
    """The table, a sum for each endpoint and month, and the verdict."""
    head = (
        f"{'endpoint':15}{'day':12}{'ours s':>12}{'billed s':>12}{'diff':>10}{'ours $':>11}{'billed $':>11}{'diff':>10}"
    )
    rows = [f"{head}{'$/s implied':>13}{'$/s list':>10}"]
    rows += [_row(line, f"{line.day}", tolerance) for line in lines]
    months = sorted({(line.endpoint, f"{line.day:%Y-%m}") for line in lines})
    for endpoint, month in months:
        rows.append(
            _row(_sum([one for one in lines if (one.endpoint, f"{one.day:%Y-%m}") == (endpoint, month)]), month)
        )
    off = [line for line in lines if not line.agrees(tolerance)]
    rows.append(f"disk and fees on the bill, which worker-seconds do not explain: ${other_usd:.2f}")
    verdict = (
        f"{len(off)} of {len(lines)} endpoint days differ by more than {tolerance:.1%}"
        if off
        else (f"all {len(lines)} endpoint days agree within {tolerance:.1%} or a cent and a minute")
    )
    return [*rows, verdict]


def _sum(lines: Sequence[Line]) -> Line:
    ours = [line.ours for line in lines if line.ours is not None]
    billed = [line.billed_seconds for line in lines]
    prices = {line.price for line in lines}
    return Line(
        lines[0].endpoint,
        lines[0].day,
        Counted(sum(one.seconds for one in ours), sum(one.usd for one in ours)) if ours else None,
        sum(line.billed_usd for line in lines),
        None if None in billed else sum(one for one in billed if one is not None),
        prices.pop() if len(prices) == 1 else None,
    )


def _row(line: Line, when: str, tolerance: float | None = None) -> str:
    ours = (line.ours.seconds, line.ours.usd) if line.ours else (math.nan, math.nan)
    billed = math.nan if line.billed_seconds is None else line.billed_seconds
    price = line.price.usd_per_second if line.price else math.nan
    mark = "" if tolerance is None or line.agrees(tolerance) else "  <-"
    return (
        f"{line.endpoint:15}{when:12}{_shown(ours[0], '.0f'):>12}{_shown(billed, '.0f'):>12}"
        f"{_shown(line.seconds_difference, '+.1%'):>10}{_shown(ours[1], '.4f'):>11}{line.billed_usd:>11.4f}"
        f"{_shown(line.usd_difference, '+.1%'):>10}{_shown(line.implied_usd_per_second, '.6f'):>13}"
        f"{_shown(price, '.6f'):>10}{mark}"
    )


def _shown(value: float, form: str) -> str:
    return "-" if math.isnan(value) else "only ours" if math.isinf(value) else format(value, form)
