"""How a model shares its machine with others: threads that help rather than wait, and memory that is given back."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from functools import cache

_MEMORY = 0.8  # share of the past in what is known of a choice
_TRY_EVERY = 16
_GIVE_BACK_SECONDS = 2.0


class ThreadChoice:
    """One thread or all of them, for a forward too small to be split by rows: whichever was faster lately.

    Alone on its cores a small forward gains from all of them. Beside busy processes, such as the other service, its
    threads wait for each other at every operator, and one is several times faster.
    """

    def __init__(self, most: int) -> None:
        """Set up; all ``most`` threads until something else is known."""
        self._seconds_per_token: dict[int, float] = {}
        self._most, self._picked = most, 0

    def pick(self) -> int:
        """Threads for the next forward; now and then the choice that was slower, to see whether it still is."""
        known, choices = self._seconds_per_token, (self._most, 1)
        self._picked += 1
        unknown = [threads for threads in choices if threads not in known]
        if unknown:
            return unknown[0]
        better = min(choices, key=known.__getitem__)
        other = 1 if better != 1 else self._most
        return other if self._picked % _TRY_EVERY == 0 else better

    def learn(self, threads: int, seconds: float, tokens: int) -> None:
        """Note how long a forward took."""
        spent = seconds / tokens
        before = self._seconds_per_token.get(threads, spent)
        self._seconds_per_token[threads] = _MEMORY * before + (1.0 - _MEMORY) * spent


class MemoryTrimmer:
    """Returns freed memory to the system from time to time; the C library keeps it for each thread otherwise."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Set up; nothing is returned in the first seconds."""
        self._clock, self._last = clock, clock()

    def sometimes(self) -> bool:
        """Give back if that was not done lately; whether it was done now."""
        now, trim = self._clock(), _malloc_trim()
        if trim is None or now - self._last < _GIVE_BACK_SECONDS:
            return False
        self._last = now
        trim(0)
        return True


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    """Of glibc; None where the C library is another."""
    try:
        found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):
        return None
    return found
