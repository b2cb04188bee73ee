"""Seconds of a worker by what it did: they add up, never go down, and do not follow the system's clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.cost import WorkerTime


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_was_before_the_model_was_ready_is_the_cold_starts_although_it_began_before_us():
    clock = Clock()
    worker = WorkerTime(clock, began=clock.now - 5)
    clock.now += 2
    assert worker.phases(0.0) == {"cold_start": 7.0, "request": 0.0, "idle": 0.0}
    worker.ready()
    clock.now += 3
    assert worker.phases(1.0) == {"cold_start": 7.0, "request": 1.0, "idle": 2.0}


def test_readiness_that_is_told_again_changes_nothing():
    clock = Clock()
    worker = WorkerTime(clock)
    worker.ready()
    clock.now += 4
    worker.ready()
    assert worker.phases(0.0) == {"cold_start": 0.0, "request": 0.0, "idle": 4.0}


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0, 5), st.booleans())))
def test_no_phase_ever_goes_down_and_together_they_are_the_time_that_passed_whatever_the_clock_does(steps):
    clock, request, highest = Clock(), 0.0, 100.0
    worker, before = WorkerTime(clock), dict.fromkeys(("cold_start", "request", "idle"), 0.0)
    for moved, computed, ready in steps:
        clock.now += moved
        highest = max(highest, clock.now)
        if ready:
            worker.ready()
        busy = worker.phases(request)["idle"] - before["idle"] if ready else 0.0
        request += min(computed, max(0.0, busy))
        phases = worker.phases(request)
        assert all(phases[phase] >= before[phase] for phase in phases)
        before = phases
    assert worker.phases(request)["cold_start"] <= highest - 100.0 + 1e-9


def test_the_phases_add_up_to_the_whole_time():
    clock = Clock()
    worker = WorkerTime(clock)
    clock.now += 3
    worker.ready()
    for request in (0.5, 1.0, 4.0):
        clock.now += 5
        assert sum(worker.phases(request).values()) == pytest.approx(clock.now - 100.0)
