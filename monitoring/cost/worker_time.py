"""What a worker did in each second that it is billed for: it started, it had a request, or it waited for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from monitoring.cost.prices import Price

COLD_START, REQUEST, IDLE = "cold_start", "request", "idle"
PHASES: Sequence[str] = (COLD_START, REQUEST, IDLE)


class WorkerClock:
    """Shares the seconds since a worker's start out to its phases; they always add up to its whole time.

    A second in which at least one request is in flight is a request's, however many are; one before the model is ready
    is the cold start's; the others are idle. All methods may be called from any thread.

    Example:
        >>> now = 0.0
        >>> worker = WorkerClock(lambda: now)
        >>> now = 4.0
        >>> worker.ready()
        >>> now = 5.0
        >>> worker.request_began()
        >>> now = 7.0
        >>> worker.request_ended()
        >>> worker.phases(10.0)
        {'cold_start': 4.0, 'request': 2.0, 'idle': 4.0}
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, began: float | None = None) -> None:
        """Start counting.

        Args:
            clock: Monotonic seconds, which setting the system clock does not move; going back counts as standing.
            began: When the worker started, by the same clock; default now.
        """
        self._clock, self._lock = clock, threading.Lock()
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._counted_to = clock() if began is None else began
        self._ready, self._in_flight = False, 0

    def ready(self) -> None:
        """The model can answer from now on."""
        self._change(ready=True)

    def loading(self) -> None:
        """The model cannot answer from now on: it is loaded anew."""
        self._change(ready=False)

    def request_began(self) -> None:
        """A request has arrived."""
        self._change(in_flight=1)

    def request_ended(self) -> None:
        """A request was answered, or given up."""
        self._change(in_flight=-1)

    def phases(self, now: float | None = None) -> dict[str, float]:
        """Seconds by phase since the start, none of which ever goes down.

        Args:
            now: By the same clock; default what it shows. An earlier moment than was asked for before counts as that.
        """
        with self._lock:
            self._count(self._clock() if now is None else now)
            return dict(self._seconds)

    def _change(self, ready: bool | None = None, in_flight: int = 0) -> None:
        with self._lock:
            self._count(self._clock())
            self._ready = self._ready if ready is None else ready
            self._in_flight = max(0, self._in_flight + in_flight)

    def _count(self, now: float) -> None:
        phase = REQUEST if self._in_flight else IDLE if self._ready else COLD_START
        self._seconds[phase] += max(0.0, now - self._counted_to)
        self._counted_to = max(self._counted_to, now)


def usd_per_request(price: Price, phases: Mapping[str, float], requests: int) -> float | None:
    """Dollars of the whole time of a worker for each request, idle and cold start too; None without a request.

    Args:
        price: Of the machine.
        phases: Seconds by phase, as `WorkerClock.phases` gives them.
        requests: Answered in that time.
    """
    return price.usd(sum(phases.values())) / requests if requests else None


def usd_per_1k_requests(price: Price, phases: Mapping[str, float], requests: int) -> float | None:
    """The same for each thousand requests; arguments as of `usd_per_request`."""
    one = usd_per_request(price, phases, requests)
    return None if one is None else 1000.0 * one
