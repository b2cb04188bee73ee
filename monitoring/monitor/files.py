"""The files that the servers are started with, written anew at each start beside the data they keep."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from monitoring.monitor.servers import Ports
from monitoring.monitor.targets import write_targets
from monitoring.prometheus_config import prometheus_config
from retrieval.errors import ConfigError
from retrieval.processes.servers import LOCALHOST

TELEGRAM = ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID")
"""Variables without which alerts go nowhere but to the page."""
SHOWN_ONLY = {"route": {"receiver": "page"}, "receivers": [{"name": "page"}]}
"""Alertmanager's configuration without Telegram: it groups alerts, which the page shows, and tells nobody."""


def tells_telegram(variables: Mapping[str, str] | None = None) -> bool:
    """Whether alerts go to Telegram.

    Raises:
        ConfigError: If one of its variables is set without the other.
    """
    known = os.environ if variables is None else variables
    set_ones = [name for name in TELEGRAM if known.get(name)]
    if len(set_ones) == 1:
        (other,) = set(TELEGRAM) - set(set_ones)
        raise ConfigError(f"{set_ones[0]} is set without {other}; set both, or neither to see alerts on the page only")
    return bool(set_ones)


def write_files(folder: Path, ports: Ports, targets: Mapping[str, Iterable[str]]) -> None:
    """Write targets, rules and the configurations of Prometheus and Alertmanager.

    Args:
        folder: Gets them, and a folder of data for each server.
        ports: Where the servers will answer.
        targets: Addresses by service.

    Raises:
        ConfigError: If the folder cannot be written, or a file cannot be made.
    """
    try:
        for name in ("prometheus", "alertmanager", "pushgateway", "logs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        write_targets(folder / "targets", targets)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror}); name another with --data") from error
    rules = folder / "rules"
    for old in rules.glob("*.yaml"):
        old.unlink()
    _made("rules", "monitoring.rules", "--to", str(rules), "--page", ports.url("page"))
    config = prometheus_config(
        targets=(folder / "targets").absolute(),
        rules=rules.absolute(),
        alertmanager=f"{LOCALHOST}:{ports.alertmanager}",
        pushgateway=f"{LOCALHOST}:{ports.pushgateway}",
        prometheus=f"{LOCALHOST}:{ports.prometheus}",
    )
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    _write_alertmanager(folder / "alertmanager.yml")


def _write_alertmanager(path: Path) -> None:
    if tells_telegram():
        _made("alertmanager.yml", "monitoring.alertmanager", "render", "--to", str(path))
    else:
        path.unlink(missing_ok=True)
        path.write_text(yaml.safe_dump(SHOWN_ONLY, sort_keys=False), encoding="utf-8")


def _made(what: str, module: str, *arguments: str) -> None:
    """Have another command of this project make a file."""
    command: Sequence[str] = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().removeprefix("error: ")
        raise ConfigError(f"{what}: could not be made by python -m {module}: {said[-600:]}")
