"""What is said of a trace collector that takes no spans."""

from __future__ import annotations

import logging

import pytest

from monitoring.trace_export import DropCount


def test_dropped_spans_are_told_once_a_minute_without_the_password_of_the_collector(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    drops = DropCount("http://user:p@ss@collector:4318/otlp", lambda: now)
    with caplog.at_level(logging.WARNING):
        drops.add(2)
        drops.add(3)
        now = 61.0
        drops.add(1)
    assert [record.getMessage() for record in caplog.records] == [
        f"the trace collector at http://collector:4318/otlp does not take spans: {count} dropped since start"
        for count in (2, 6)
    ]
