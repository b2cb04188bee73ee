"""Processor cores of this process; without torch, which processes that only segment text would wait for."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Cores this process may run on: its affinity, where the system tells, else all."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
