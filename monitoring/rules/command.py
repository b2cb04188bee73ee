"""The command: every generated file, written or compared with what is there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from monitoring.prometheus_config import prometheus_config
from monitoring.rules.cases import read_cases, unit_tests
from monitoring.rules.costs import costs
from monitoring.rules.logs import logs
from monitoring.rules.model import PAGE_URL, Group
from monitoring.rules.models import models
from monitoring.rules.objectives import objectives
from monitoring.rules.pipelines import pipelines
from monitoring.rules.requests import requests, targets
from monitoring.rules.watchers import watchers
from monitoring.rules.yaml_file import written
from monitoring.slo import SERVICES, SLO_FILE, ServiceLevels, load_service_levels
from retrieval.errors import ConfigError

FOLDER = Path(__file__).resolve().parents[1] / "prometheus"
"""Holds ``prometheus.yml``, ``rules``, ``tests`` and what the tests are made of, ``cases``."""
LOG_RULES = FOLDER.parent / "loki" / "rules" / "fake"
"""Where Loki's ruler reads; the one tenant of a Loki without tenants is called so."""
COMMAND = "python -m monitoring.rules"
RULES, TESTS, CASES, CONFIG = "rules", "tests", "cases", "prometheus.yml"


def groups(levels: ServiceLevels) -> tuple[Group, ...]:
    """Every group of rules; each becomes a file."""
    return (
        objectives(levels), requests(levels), targets(levels), models(levels), costs(levels), pipelines(levels),
        watchers(),
    )  # fmt: skip


def rule_files(levels: ServiceLevels, page: str = PAGE_URL) -> dict[str, str]:
    """Contents of every rules file by its name.

    Args:
        levels: Objectives and limits.
        page: Address of the page with panels and runbooks, without a slash at the end.
    """
    preface = f"Made by `{COMMAND}` from monitoring/slo.yaml; change that and run it again."
    return {f"{group.name}.yaml": written([preface, f"Rules on {group.says}."], group.as_yaml(page))
            for group in groups(levels)}  # fmt: skip


def log_rule_file(page: str = PAGE_URL) -> str:
    """Contents of the file that Loki's ruler reads."""
    preface = f"Made by `{COMMAND}` from monitoring/rules/logs.py; change that and run it again."
    return written([preface, f"Rules on {logs().says}, in LogQL."], logs().as_yaml(page))


def test_files(levels: ServiceLevels, page: str = PAGE_URL) -> dict[str, str]:
    """Contents of every file of promtool's unit tests by its name."""
    alerts = {alert.name: alert for group in groups(levels) for alert in group.alerts}
    preface = f"Made by `{COMMAND}` from monitoring/prometheus/{CASES}; change that and run it again."
    return {
        f"{name}.yaml": written([preface], unit_tests(cases, alerts, page))
        for name, cases in read_cases(FOLDER / CASES).items()
    }


def config_file() -> str:
    """The configuration beside them, with the names that servers have in ``monitoring/compose.yaml``."""
    preface = f"Made by `{COMMAND}` from monitoring/prometheus_config.py; make monitor writes one of its own."
    config = prometheus_config(Path("targets"), Path(RULES), "alertmanager:9093", "pushgateway:9091", "localhost:9090")
    return written([preface], config)


def main(argv: Sequence[str] | None = None) -> int:
    """Write or compare; 0 if all is as it should be, 1 if something is to be written again, 2 on bad input."""
    given = _arguments(argv)
    folder, page = given.to or FOLDER / RULES, given.page.rstrip("/")
    try:
        levels = load_service_levels(given.slo)
        if given.expect is not None:
            levels = levels.model_copy(update={"expected_jobs": tuple(given.expect)})
        wanted = {folder / name: text for name, text in rule_files(levels, page).items()}
        if given.to is None:
            wanted[FOLDER / CONFIG] = config_file()
            wanted[LOG_RULES / f"{logs().name}.yaml"] = log_rule_file(page)
            wanted |= {FOLDER / TESTS / name: text for name, text in test_files(levels, page).items()}
    except ConfigError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return _compare(wanted) if given.check else _write(wanted)


def _write(wanted: dict[Path, str]) -> int:
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in _others(wanted):
        path.unlink()
    return 0


def _compare(wanted: dict[Path, str]) -> int:
    wrong = [
        f"{path}: {'is not what it would be made of' if path.is_file() else 'is not there'}"
        for path, text in wanted.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    wrong += [f"{path}: nothing makes this file" for path in _others(wanted)]
    for line in wrong:
        sys.stderr.write(f"{line}; write it again with {COMMAND}\n")
    return 1 if wrong else 0


def _others(wanted: dict[Path, str]) -> list[Path]:
    """Files of former rules in this project's own folders; a folder that a user names may hold more."""
    own = {FOLDER / RULES, FOLDER / TESTS, LOG_RULES} & {path.parent for path in wanted}
    return sorted(path for folder in own for path in folder.glob("*.yaml") if path not in wanted)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write Prometheus's rules (and Loki's).")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not as it would be")
    parser.add_argument("--to", type=Path, metavar="DIR", help="write the rules, and no tests, into this folder")
    parser.add_argument("--page", default=PAGE_URL, metavar="URL", help=f"what links begin with (default {PAGE_URL})")
    parser.add_argument(
        "--expect", nargs="*", choices=SERVICES, metavar="JOB", help="jobs that must have targets (default the file's)"
    )
    parser.add_argument("--slo", type=Path, default=SLO_FILE, metavar="FILE", help="objectives (default the project's)")
    return parser.parse_args(argv)
