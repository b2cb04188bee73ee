"""Seconds of a worker by what it did: they add up, never go down, and do not follow the system's clock."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.cost import WorkerClock, price_of, usd_per_1k_requests, usd_per_request


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_second_with_two_requests_in_flight_counts_once():
    clock = Clock()
    worker = WorkerClock(clock)
    worker.ready()
    worker.request_began()
    clock.now += 1
    worker.request_began()
    clock.now += 2
    worker.request_ended()
    clock.now += 3
    worker.request_ended()
    assert worker.phases(clock.now + 4) == {"cold_start": 0.0, "request": 6.0, "idle": 4.0}


def test_what_was_before_the_model_was_ready_is_the_cold_starts_although_it_began_before_us():
    clock = Clock()
    worker = WorkerClock(clock, began=clock.now - 5)
    clock.now += 2
    worker.ready()
    assert worker.phases() == {"cold_start": 7.0, "request": 0.0, "idle": 0.0}


def test_loading_another_model_is_a_cold_start_again():
    clock = Clock()
    worker = WorkerClock(clock)
    worker.ready()
    clock.now += 1
    worker.loading()
    clock.now += 2
    worker.ready()
    assert worker.phases(clock.now + 3) == {"cold_start": 2.0, "request": 0.0, "idle": 4.0}


def test_an_end_without_a_beginning_does_not_make_requests_negative():
    clock = Clock()
    worker = WorkerClock(clock)
    worker.ready()
    worker.request_ended()
    worker.request_began()
    assert worker.phases(clock.now + 1)["request"] == 1.0


MOVES = st.tuples(
    st.sampled_from(["ready", "loading", "request_began", "request_ended", "phases"]),
    st.floats(-50, 50, allow_nan=False),
)


@given(st.lists(MOVES, max_size=40))
def test_phases_never_go_down_and_add_up_to_the_time_gone_by_even_if_the_clock_goes_back(moves: list):
    clock = Clock()
    worker, before, furthest = WorkerClock(clock), dict.fromkeys(("cold_start", "request", "idle"), 0.0), clock.now
    for call, step in moves:
        clock.now += step
        furthest = max(furthest, clock.now)
        getattr(worker, call)()
        phases = worker.phases()
        assert all(phases[name] >= before[name] for name in phases)
        assert sum(phases.values()) == pytest.approx(furthest - 100.0)
        before = phases


def test_a_system_clock_that_jumps_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    worker = WorkerClock()
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert sum(worker.phases().values()) < 3600.0


def test_a_request_costs_its_share_of_the_whole_time():
    price, phases = price_of("runpod-l4"), {"cold_start": 10.0, "request": 30.0, "idle": 60.0}
    assert usd_per_request(price, phases, 50) == pytest.approx(0.019 / 50)
    assert usd_per_1k_requests(price, phases, 50) == pytest.approx(0.38)


def test_without_a_request_there_is_no_cost_of_one():
    assert usd_per_request(price_of("local"), {"idle": 5.0}, 0) is None
    assert usd_per_1k_requests(price_of("local"), {"idle": 5.0}, 0) is None
