"""The time that a page shows: a range that ends now, in even steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

SCRAPE_SECONDS = 15.0
RANGES = {"15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800}
"""Seconds of what may be chosen."""
USUAL_RANGE = "1h"
STEPS = 120
_DAY = 86_400


@dataclass(frozen=True)
class Window:
    """A range of time.

    Attributes:
        name: Key of `RANGES`.
        end: Unix time of the last step, at most one scrape ago.
        now: Unix time, for what is asked as of now.
    """

    name: str
    end: float
    now: float

    @classmethod
    def ending(cls, now: float, name: str = USUAL_RANGE) -> Window:
        """The window that ends at a Unix time."""
        return cls(name, now // SCRAPE_SECONDS * SCRAPE_SECONDS, now)

    @property
    def seconds(self) -> int:
        """Its length."""
        return RANGES[self.name]

    @property
    def step(self) -> float:
        """Seconds between two values."""
        return self.seconds / STEPS

    @property
    def start(self) -> float:
        """Unix time of the first step."""
        return self.end - self.seconds

    @property
    def times(self) -> list[float]:
        """Unix times of all steps."""
        return [self.start + number * self.step for number in range(STEPS + 1)]

    @property
    def rate_seconds(self) -> int:
        """Time over which rates are taken: a step and one scrape more, and at least four scrapes."""
        return round(max(4 * SCRAPE_SECONDS, self.step + SCRAPE_SECONDS))

    def said(self, moment: float) -> str:
        """A moment in the local time of this machine, as precise as the window needs."""
        local = datetime.fromtimestamp(moment).astimezone()
        return f"{local:%a %d %b %H:%M}" if self.seconds > _DAY else f"{local:%H:%M:%S}"

    def ticks(self) -> list[tuple[float, str]]:
        """Round moments of local time for the axis: place from 0 to 1, and what to write there."""
        apart = {"15m": 180, "1h": 900, "6h": 5_400, "24h": 21_600, "7d": 2 * _DAY}[self.name]
        first = datetime.fromtimestamp(self.start).astimezone()
        midnight = first.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        moment = midnight + (-(-(self.start - midnight) // apart)) * apart
        found = []
        while moment <= self.end:
            local = datetime.fromtimestamp(moment).astimezone()
            found.append(
                ((moment - self.start) / self.seconds, f"{local:%a %d}" if apart >= _DAY else f"{local:%H:%M}")
            )
            moment += apart
        return found
