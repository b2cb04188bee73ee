"""Asking ZenML, in a process of its own, for the store in use."""

from __future__ import annotations

import ast
import importlib.util
import logging
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from retrieval.model_store import current_store
from retrieval.model_store.current_store import ANSWER, refresh_stages

ROOT = Path(__file__).parents[3]
ASKED = EntryPoint("zenml", "above.asks:main", current_store.ENTRY_POINTS)


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(current_store, "entry_points", lambda group: [ASKED] if group == ASKED.group else [])


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


def test_the_module_that_the_installation_names_is_run(installed, monkeypatch):
    seen = []
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: seen.append(command) or subprocess.CompletedProcess([], 0, "", "")
    )
    assert refresh_stages() == ""
    assert seen == [[sys.executable, "-m", "above.asks"]]


def test_an_installation_that_names_nobody_is_said_to_be_old(installed, monkeypatch, caplog):
    monkeypatch.setattr(current_store, "entry_points", lambda group: [])
    monkeypatch.setattr(subprocess, "run", None)
    assert refresh_stages() == ""
    assert "install it again with `make train`" in caplog.text


def test_where_the_pipelines_are_not_installed_nobody_is_asked(installed, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "above" else name)
    monkeypatch.setattr(subprocess, "run", None)
    assert refresh_stages() == ""


def test_the_project_enters_a_module_that_is_there_and_answers():
    tomllib = pytest.importorskip("tomllib", reason="in Python from 3.11 on")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (named,) = project["entry-points"][current_store.ENTRY_POINTS].values()
    module, _, function = named.partition(":")
    source = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    assert function in {node.name for node in source.body if isinstance(node, ast.FunctionDef)}
    assert "ANSWER" in {node.id for node in ast.walk(source) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("package", ["retrieval", "monitoring", "deployment"])
def test_nothing_below_names_a_module_above_it_in_a_text_that_it_could_run(package):
    above = {"retrieval": "deployment|monitoring|", "monitoring": "deployment|", "deployment": ""}[package]
    above += "run|pipelines|steps|registry|materializers|stacks|tracking"
    module = re.compile(rf"(?:{above})(?:\.\w+)+|steps|pipelines")
    named = [
        (path.relative_to(ROOT).as_posix(), node.value)
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name != "code_graph.py"  # reads files of all packages and runs none
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and module.fullmatch(node.value)
    ]
    told = {"pipelines", "run.py", "run.trec"}  # an extra of pyproject.toml, and names of files
    unit = ("retrieval/config/docs.py", "steps")  # optimiser steps
    assert [one for one in named if one[1] not in told and one != unit] == []


def test_without_zenml_nobody_is_asked(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(subprocess, "run", None)
    assert refresh_stages() == ""
