"""How long a worker took from the start of its process until it could answer, lap by lap."""

from __future__ import annotations

import time

import psutil


class ColdStart:
    """Seconds since the process started, imports included, which is what a caller of a sleeping endpoint waits for."""

    def __init__(self) -> None:
        """Take the first lap, ``imports``: everything before this line."""
        since = max(0.0, time.time() - psutil.Process().create_time())
        self._laps, self._ended = {"imports": since}, time.monotonic()

    def resume(self) -> None:
        """Do not count what passed since the last lap: nobody had asked yet."""
        self._ended = time.monotonic()

    def lap(self, name: str) -> None:
        """End a lap."""
        now = time.monotonic()
        self._laps[name] = self._laps.get(name, 0.0) + now - self._ended
        self._ended = now

    @property
    def seconds(self) -> float:
        """All laps together."""
        return float(sum(self._laps.values()))

    def report(self) -> dict[str, float]:
        """Seconds of each lap, and ``total_seconds``."""
        laps = {f"{name}_seconds": round(seconds, 3) for name, seconds in self._laps.items()}
        return {**laps, "total_seconds": round(self.seconds, 3)}
