"""Asking ZenML, in a process of its own, for the store in use."""

from __future__ import annotations

import importlib.util
import logging
import subprocess

import pytest

from retrieval.model_store.current_store import ANSWER, refresh_stages


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)


def answering(monkeypatch, code: int, out: str = "", err: str = "") -> None:
    done = subprocess.CompletedProcess([], code, out, err)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)


def test_the_answer_is_found_among_what_zenml_says(installed, monkeypatch):
    answering(monkeypatch, 0, f"Initializing the ZenML global configuration\n{ANSWER}abc-1\n")
    assert refresh_stages() == "abc-1"
    answering(monkeypatch, 0, "something else\n")
    assert refresh_stages() == ""


def test_where_zenml_fails_or_hangs_it_is_said_and_nothing_is_known(installed, monkeypatch, caplog):
    answering(monkeypatch, 1, err="Traceback\nerror: the store is away\n")
    with caplog.at_level(logging.WARNING):
        assert refresh_stages() == ""
    assert "ZenML could not be asked (error: the store is away)" in caplog.text

    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("python", 120)

    monkeypatch.setattr(subprocess, "run", hang)
    assert refresh_stages() == ""
    assert "ZenML does not answer" in caplog.text


def test_without_zenml_nobody_is_asked(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(subprocess, "run", None)
    assert refresh_stages() == ""
