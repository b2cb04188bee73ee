"""Telemetry is off unless the user wants it."""

from __future__ import annotations

import os

from retrieval.telemetry import telemetry_off


def test_telemetry_is_off_unless_the_user_set_it(monkeypatch):
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    monkeypatch.setenv("ZENML_ANALYTICS_OPT_IN", "true")
    telemetry_off()
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert os.environ["ZENML_ANALYTICS_OPT_IN"] == "true"
