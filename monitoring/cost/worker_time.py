"""What a worker did in each second that it is billed for: it started, computed for requests, or waited for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

COLD_START, REQUEST, IDLE = "cold_start", "request", "idle"
PHASES: Sequence[str] = (COLD_START, REQUEST, IDLE)
"""What the seconds of a machine were spent on; together they are its time from start to stop."""


class WorkerTime:
    """Shares the seconds since a worker's start out to its phases; they always add up to its whole time.

    Seconds before the model is ready are the cold start's. Requests have the seconds of the whole machine that their
    answers say they took, so that what answers cost adds up to what is counted; the others are idle. All methods may
    be called from any thread.

    Example:
        >>> now = 0.0
        >>> worker = WorkerTime(lambda: now)
        >>> now = 4.0
        >>> worker.ready()
        >>> now = 10.0
        >>> worker.phases(request_seconds=2.0)
        {'cold_start': 4.0, 'request': 2.0, 'idle': 4.0}
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, began: float | None = None) -> None:
        """Start counting.

        Args:
            clock: Monotonic seconds, which setting the system clock does not move; going back counts as standing.
            began: When the worker started, by the same clock; default now.
        """
        self._clock, self._lock = clock, threading.Lock()
        self._began = self._latest = clock() if began is None else began
        self._ready_at: float | None = None
        self._idle = 0.0

    def ready(self) -> None:
        """The model can answer from now on; what was measured before stays where this is called again."""
        with self._lock:
            self._ready_at = self._now() if self._ready_at is None else self._ready_at

    def phases(self, request_seconds: float) -> dict[str, float]:
        """Seconds by phase since the start, none of which ever goes down.

        Args:
            request_seconds: Of the whole machine that requests took so far.
        """
        with self._lock:
            now = self._now()
            cold_start = (now if self._ready_at is None else self._ready_at) - self._began
            self._idle = max(self._idle, now - self._began - cold_start - request_seconds)
            return {COLD_START: cold_start, REQUEST: request_seconds, IDLE: self._idle}

    def _now(self) -> float:
        self._latest = max(self._latest, self._clock())
        return self._latest
