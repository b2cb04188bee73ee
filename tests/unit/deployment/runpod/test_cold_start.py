"""Cold starts: laps that add up, and idle time that nobody waited through is not counted."""

from __future__ import annotations

import pytest

from deployment.runpod import cold_start
from deployment.runpod.cold_start import ColdStart


def test_laps_add_up_and_idle_time_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(cold_start.time, "monotonic", lambda: now[0])
    measured = ColdStart()
    imports = measured.report()["imports_seconds"]
    assert imports > 0  # this process has run for a while
    now[0] = 160.0
    measured.resume()
    for name, seconds in (("fetch", 2.0), ("load", 3.0), ("load", 0.5)):
        now[0] += seconds
        measured.lap(name)
    assert measured.report() == {
        "imports_seconds": imports,
        "fetch_seconds": 2.0,
        "load_seconds": 3.5,
        "total_seconds": pytest.approx(imports + 5.5, abs=0.002),
    }


def test_a_clock_set_back_gives_no_negative_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold_start.time, "time", lambda: 0.0)
    assert ColdStart().report()["total_seconds"] == 0.0
