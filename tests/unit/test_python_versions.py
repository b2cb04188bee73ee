"""What is said about Python versions in several places is one and the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FIRST, BEYOND = re.findall(r"3\.(\d+)", PROJECT["project"]["requires-python"])
VERSIONS = range(int(FIRST), int(BEYOND))


def test_the_makefile_looks_for_checks_and_names_the_versions_that_are_required() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [int(minor) for minor in re.findall(r"command -v python3\.(\d+)", makefile)] == list(VERSIONS)
    assert f"(3, {VERSIONS[0]}) <= sys.version_info[:2] <= (3, {VERSIONS[-1]})" in makefile
    *but_last, last = (f"3.{minor}" for minor in VERSIONS)
    assert makefile.count(f"install Python {', '.join(but_last)} or {last}") == 2


def test_linter_and_type_checker_read_the_oldest_version() -> None:
    tool = PROJECT["tool"]
    assert tool["ruff"]["target-version"] == f"py3{FIRST}"
    assert tool["mypy"]["python_version"] == f"3.{FIRST}"
