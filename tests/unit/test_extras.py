"""Extras: known to pyproject.toml, and a lacking package is one line that says what to install."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from retrieval.errors import ConfigError
from retrieval.extras import EXTRAS, hidden, need

PROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(one).name) for one in requirements}


OTHERWISE_CALLED = {"markdown_it": "markdown-it-py"}
"""Packages by modules that are not called like them."""


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_each_module_is_brought_by_the_extra_that_is_named(extra: str) -> None:
    packages = {canonicalize_name(OTHERWISE_CALLED.get(module, module)) for module in EXTRAS[extra]}
    assert packages <= _names(PROJECT["optional-dependencies"][extra])


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


def test_a_hidden_package_is_not_found_in_the_block_and_is_afterwards() -> None:
    with hidden("wave"):
        with pytest.raises(ImportError):
            import_module("wave")
        assert find_spec("wave") is None
    assert import_module("wave").__name__ == "wave"


def test_a_package_that_is_loaded_stays_visible() -> None:
    with hidden("json"):
        assert import_module("json").dumps([]) == "[]"
    assert import_module("json").dumps([]) == "[]"


def test_an_error_in_the_block_leaves_nothing_hidden() -> None:
    with pytest.raises(ZeroDivisionError), hidden("wave"):
        raise ZeroDivisionError
    assert "wave" not in sys.modules or sys.modules["wave"] is not None


def test_search_takes_neither_jax_nor_scipy_along() -> None:
    code = "import sys, retrieval.search.bm25; print(sorted({'jax', 'numba', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
