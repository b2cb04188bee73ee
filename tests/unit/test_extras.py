"""Extras: known to pyproject.toml, and a lacking package is one line that says what to install."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from retrieval.errors import ConfigError
from retrieval.extras import EXTRAS, need

tomllib = pytest.importorskip("tomllib", reason="in Python from 3.11 on")
PROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(one).name) for one in requirements}


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_each_module_is_brought_by_the_extra_that_is_named(extra: str) -> None:
    assert {canonicalize_name(module) for module in EXTRAS[extra]} <= _names(PROJECT["optional-dependencies"][extra])


def test_a_lacking_package_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.extras.find_spec", lambda module: None if module == "uvicorn" else sys)
    with pytest.raises(ConfigError) as refused:
        need("serving", "python -m deployment.serve")
    assert str(refused.value) == (
        "python -m deployment.serve needs uvicorn, not installed here; pip install -e '.[serving]'"
    )


def test_what_is_installed_is_not_refused() -> None:
    for extra in EXTRAS:
        need(extra, "this test")


def test_the_library_and_serving_ask_for_no_platform() -> None:
    names = _names(PROJECT["dependencies"]) | _names(PROJECT["optional-dependencies"]["runpod"])
    names |= _names(PROJECT["optional-dependencies"]["serving"])
    assert not names & {"zenml", "mlflow", "pandas", "matplotlib", "evidently"}
