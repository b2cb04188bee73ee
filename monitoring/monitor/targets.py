"""Where the services are that are watched: addresses as they are typed, and the files Prometheus reads them from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from retrieval.errors import ConfigError
from retrieval.names import BI_ENCODER, CROSS_ENCODER

GATEWAY = "gateway"
DEFAULTS: Mapping[str, str] = {
    GATEWAY: "127.0.0.1:8100",
    BI_ENCODER: "127.0.0.1:8101",
    CROSS_ENCODER: "127.0.0.1:8102",
}
"""Where `make serve` puts them."""
NOWHERE = "none"
"""Typed for a service that is not there, so that nothing is alerted about it."""
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")


def checked_target(text: str, option: str) -> str:
    """An address ``HOST:PORT``.

    Args:
        text: As typed.
        option: Which option it was given with, for the error.

    Raises:
        ConfigError: If it is none.
    """
    host, _, port = text.rpartition(":")
    if not _HOST.fullmatch(host) or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(f"{option}: got {text!r}; give HOST:PORT, such as 127.0.0.1:8100")
    return f"{host}:{int(port)}"


def chosen_targets(typed: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Addresses by service.

    Args:
        typed: What was typed for each service; empty takes where `make serve` puts it, `NOWHERE` alone leaves it out.

    Raises:
        ConfigError: If one is no address, one is given twice, or none is left.
    """
    chosen: dict[str, list[str]] = {}
    for service, default in DEFAULTS.items():
        given, option = list(typed.get(service) or [default]), f"--{service}"
        if given != [NOWHERE]:
            chosen[service] = [checked_target(text, option) for text in given]
    everything = [target for targets in chosen.values() for target in targets]
    if not everything:
        raise ConfigError("every service is left out; name one with --gateway HOST:PORT")
    twice = sorted({target for target in everything if everything.count(target) > 1})
    if twice:
        raise ConfigError(f"{twice[0]}: given twice; each address belongs to one service, once")
    return chosen


def write_targets(folder: Path, targets: Mapping[str, Iterable[str]]) -> None:
    """Write a file for each service, which Prometheus reads again whenever it changes; without a target it is empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for service in DEFAULTS:
        content = [{"targets": list(targets[service])}] if service in targets else []
        new = folder / f"{service}.json.new"
        new.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        new.replace(folder / f"{service}.json")
