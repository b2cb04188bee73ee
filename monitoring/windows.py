"""Gauges over the last minutes: what one request left behind says nothing to a scrape that sees every thousandth."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

WINDOW_SECONDS = 300.0
"""Longer than any usual scrape interval, so that every request is seen by some scrape."""
_SLOT_SECONDS = 10.0


@dataclass
class Slot:
    """What came in some seconds, or in several such slots together.

    Attributes:
        began: Monotonic seconds.
        count: Of the values.
        total: Their sum.
        lowest: The least of them.
        highest: The greatest of them.
    """

    began: float
    count: int
    total: float
    lowest: float
    highest: float

    def add(self, other: Slot) -> None:
        """Take in what another one holds."""
        self.count += other.count
        self.total += other.total
        self.lowest, self.highest = min(self.lowest, other.lowest), max(self.highest, other.highest)

    @property
    def mean(self) -> float:
        """Of the values."""
        return self.total / self.count


class Window:
    """Values of the last `WINDOW_SECONDS`, kept as sums of ten seconds each: many requests take no more room."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; ``clock`` gives monotonic seconds."""
        self._clock, self._slots, self._lock = clock, deque[Slot](), Lock()

    def add(self, value: float) -> None:
        """Note a value."""
        now = self._clock()
        came = Slot(now, 1, value, value, value)
        with self._lock:
            if self._slots and now - self._slots[-1].began < _SLOT_SECONDS:
                self._slots[-1].add(came)
            else:
                self._drop(now)
                self._slots.append(came)

    def all(self) -> Slot | None:
        """Everything in the window together; None where nothing came."""
        with self._lock:
            self._drop(self._clock())
            if not self._slots:
                return None
            whole = Slot(self._slots[0].began, 0, 0.0, self._slots[0].lowest, self._slots[0].highest)
            for slot in self._slots:
                whole.add(slot)
            return whole

    def _drop(self, now: float) -> None:
        """Let go of slots that began before the window."""
        while self._slots and now - self._slots[0].began > WINDOW_SECONDS:
            self._slots.popleft()


class WindowGauge(Collector):
    """A gauge read off windows when it is scraped; without a sample where nothing came, which no mean may count as 0.

    Every process has windows of its own and is scraped by itself. Over several of them ``min`` and ``max`` of the
    least and the greatest are exact; a mean is weighed by the requests of each.
    """

    def __init__(self, name: str, says: str, labels: tuple[str, ...], read: Callable[[Slot], float]) -> None:
        """Set up.

        Args:
            name: Of the metric.
            says: What it is, for its HELP line, which names the window too.
            labels: Names of its labels.
            read: Picks the number.
        """
        self._name, self._says = name, f"{says} in the last {WINDOW_SECONDS:g} s; absent where there was none"
        self._labels, self._read = labels, read
        self._windows: dict[tuple[str, ...], Window] = {}

    def watch(self, labels: tuple[str, ...], window: Window) -> None:
        """Show a window under values of the labels."""
        self._windows[labels] = window

    def remove(self, *labels: str) -> None:
        """Show nothing under these values any more."""
        self._windows.pop(labels, None)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The metric as it is now."""
        family = GaugeMetricFamily(self._name, self._says, labels=self._labels)
        for labels, window in tuple(self._windows.items()):
            found = window.all()
            if found is not None:
                family.add_metric(labels, self._read(found))
        yield family
