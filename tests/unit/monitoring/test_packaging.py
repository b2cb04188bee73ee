"""Files beside the code that commands read are part of what is installed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from monitoring.alertmanager.config import TEMPLATE
from monitoring.slo import SLO_FILE

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("read", [TEMPLATE, SLO_FILE, ROOT / "monitoring/prometheus/prometheus.yml"])
def test_what_commands_read_is_in_the_wheel(read: Path) -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]
    assert any(read.resolve() in set((ROOT / "monitoring").resolve().glob(one)) for one in listed["monitoring"])
