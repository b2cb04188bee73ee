"""``python -m monitoring.dashboards [--check]``: write ``monitoring/grafana/dashboards/`` or see that it is current."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from monitoring.dashboards.definition import all_dashboards
from retrieval.errors import ConfigError, RetrievalError

FOLDER = Path(__file__).parents[1] / "grafana" / "dashboards"
COMMAND = "python -m monitoring.dashboards"


def files() -> dict[str, str]:
    """What each file holds, by name.

    Raises:
        ConfigError: If Grafana's builders are not installed, or ``slo.yaml`` is wrong.
    """
    try:
        from monitoring.dashboards.grafana import grafana_json
    except ModuleNotFoundError as error:
        raise ConfigError(f"{COMMAND} needs {error.name}, not installed here; pip install -e '.[dev]'") from error
    return {f"{dashboard.id}.json": grafana_json(dashboard) for dashboard in all_dashboards()}


def stale(folder: Path) -> list[str]:
    """Names of files that are missing, left over or not what the definition says."""
    wanted, found = files(), {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))


def main(argv: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Write the files, or compare them; 1 if they are to be written again, 2 if they cannot be made."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Writes Grafana's dashboards from their definition.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not as defined")
    given = parser.parse_args(argv)
    try:
        if given.check:
            return _report(stale(folder), folder)
        _write(files(), folder)
    except RetrievalError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _report(names: list[str], folder: Path) -> int:
    for name in names:
        sys.stderr.write(f"{folder / name}: is not what the definition says; write it again with {COMMAND}\n")
    return 1 if names else 0


def _write(wanted: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
