"""The project's packages: each is in what pip installs and under the import contracts."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {path.parent.name for path in ROOT.glob("*/__init__.py")}


def test_every_package_is_installed_and_under_the_import_contracts() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    installed = settings["setuptools"]["packages"]["find"]["include"]
    assert {name.removesuffix("*") for name in installed} == PACKAGES
    assert set(settings["importlinter"]["root_packages"]) == PACKAGES
