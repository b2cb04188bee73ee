"""What a worker that nobody can scrape says of itself with each answer: what its machine did since the last one."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Any

from deployment.runpod.cold_start import ColdStart
from monitoring.cost import Price, WorkerTime
from monitoring.cost.worker_time import COLD_START, IDLE, REQUEST
from monitoring.endpoint_metrics import EndpointMetrics

_MOST_FORWARDS = 64


class WorkerMeasures:
    """Measures since the last answer; each is told once, so several gateways together count no second twice.

    What passed after the last answer until the worker's end is told to nobody: compare with the provider's bill
    (`python -m monitoring.cost reconcile`).
    """

    def __init__(self, metrics: EndpointMetrics, price: Price, cold_start: ColdStart) -> None:
        """Begin; the worker's process has just started."""
        self._metrics, self._price = metrics, price
        self._worker = WorkerTime(began=time.monotonic() - cold_start.seconds)
        self._told = {COLD_START: 0.0, IDLE: 0.0}
        self._cold_starts = 0
        metrics.forwards = deque(maxlen=_MOST_FORWARDS)

    def count_cold_start(self) -> None:
        """A model was loaded from nothing."""
        self._worker.ready()
        self._metrics.started_cold()
        self._cold_starts += 1

    def since_last(self) -> dict[str, Any]:
        """Plain values for an answer, which must be sent."""
        self._metrics.pass_time(self._worker.phases(self._metrics.passed[REQUEST]), self._price)
        seconds = {phase: self._metrics.passed[phase] - told for phase, told in self._told.items()}
        self._told = {phase: self._metrics.passed[phase] for phase in self._told}
        forwards = [[round(taken, 6), rows] for taken, rows in self._metrics.forwards or ()]
        cold_starts, self._cold_starts = self._cold_starts, 0
        if self._metrics.forwards is not None:
            self._metrics.forwards.clear()
        return {
            "worker": os.environ.get("RUNPOD_POD_ID", ""),
            "track": self._metrics.track,
            "cold_starts": cold_starts,
            "worker_seconds": seconds,
            "usd": {phase: self._price.usd(value) for phase, value in seconds.items()},
            "forwards": forwards,
        }
