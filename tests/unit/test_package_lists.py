"""The lists of packages in pyproject.toml: one left out would be unchecked, or missing where it is installed."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TOOLS = PYPROJECT["tool"]
PACKAGES = {path.parent.name for path in ROOT.glob("*/__init__.py")}


def test_types_of_every_package_are_checked() -> None:
    assert PACKAGES | {"run.py"} <= set(TOOLS["mypy"]["files"])


def test_every_package_is_installed() -> None:
    assert {name.removesuffix("*") for name in TOOLS["setuptools"]["packages"]["find"]["include"]} == PACKAGES


def test_every_package_is_under_the_import_contracts() -> None:
    settings = TOOLS["importlinter"]
    (layers,) = [one["layers"] for one in settings["contracts"] if one["type"] == "layers"]
    levels = {name.strip() for level in layers for name in level.split("|")}
    assert PACKAGES == set(settings["root_packages"]) == levels
