"""The files that the servers are started with, written anew at each start beside the data they keep."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from monitoring.alertmanager.command import write_private
from monitoring.alertmanager.config import Telegram, alertmanager_config
from monitoring.monitor.servers import PAGE, Ports
from monitoring.monitor.targets import write_targets
from monitoring.prometheus_config import prometheus_config
from monitoring.rules.command import rule_files
from monitoring.slo import ServiceLevels
from retrieval.errors import ConfigError
from retrieval.processes.servers import LOCALHOST

_LOCK = "lock"
PROMETHEUS_FILE, ALERTMANAGER_FILE = "prometheus.yml", "alertmanager.yml"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep the folder to this process until the block ends; a second one would change the targets of the first.

    The lock ends with the process, however that ends.

    Args:
        folder: Of configuration and data; made where missing.

    Raises:
        ConfigError: If another process holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / _LOCK).open("a", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror}); name another with --data") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"{folder}: another make monitor keeps its data there; stop it, or name another with --data"
            ) from error
        yield


def write_files(
    folder: Path,
    ports: Ports,
    targets: Mapping[str, Iterable[str]],
    levels: ServiceLevels,
    telegram: Telegram | None = None,
) -> None:
    """Write targets, rules and the configurations of Prometheus and Alertmanager.

    Args:
        folder: Gets them, and a folder of data for each server.
        ports: Where the servers will answer.
        targets: Addresses by service.
        levels: Objectives; only jobs that have a target are missed where they have none.
        telegram: Where alerts are told; None shows them on the page only.

    Raises:
        ConfigError: If the folder cannot be written.
    """
    rules = folder / "rules"
    try:
        for name in ("prometheus", "alertmanager", "pushgateway", "logs", "rules"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        write_targets(folder / "targets", targets)
        for old in rules.glob("*.yaml"):
            old.unlink()
        expected = levels.model_copy(update={"expected_jobs": tuple(targets)})
        for name, text in rule_files(expected, ports.url(PAGE)).items():
            (rules / name).write_text(text, encoding="utf-8")
        config = prometheus_config(
            targets=(folder / "targets").absolute(),
            rules=rules.absolute(),
            alertmanager=f"{LOCALHOST}:{ports.alertmanager}",
            pushgateway=f"{LOCALHOST}:{ports.pushgateway}",
            prometheus=f"{LOCALHOST}:{ports.prometheus}",
        )
        (folder / PROMETHEUS_FILE).write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror}); name another with --data") from error
    text = yaml.safe_dump(alertmanager_config(telegram), sort_keys=False, allow_unicode=True)
    write_private(folder / ALERTMANAGER_FILE, text)
