"""``python -m monitoring.monitor`` (``make monitor``): watch services from this machine, until Ctrl-C.

Prometheus, Alertmanager, Pushgateway and the page of panels run on ports of this machine and keep their data between
starts; services are watched where `make serve` puts them, or where they are said to be.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path

from monitoring.alertmanager.config import Telegram
from monitoring.alertmanager.settings import CHAT, TOKEN, read_telegram
from monitoring.monitor.files import held, write_files
from monitoring.monitor.servers import PAGE, RETENTION, Ports, Programs, commands, front_page, option, retention_checked
from monitoring.monitor.targets import DEFAULTS, GATEWAY, chosen_targets
from monitoring.monitor.tunnel import Limits, limits, tunnel
from monitoring.pipeline_pushes.pushgateway import ADDRESS
from monitoring.slo import SLO_FILE, load_service_levels
from monitoring.tools import FOLDER_VARIABLE
from retrieval.errors import ConfigError, RetrievalError
from retrieval.extras import need
from retrieval.paths import MONITORING_DATA
from retrieval.processes.servers import (
    LocalServer,
    running,
    serve_until_interrupted,
    stop_without,
    stopping_signals,
)
from retrieval.telemetry import telemetry_off

_READY_SECONDS = 60.0
_READY_AT = {"page": "/health"}
_NAMES = {"prometheus": "Prometheus", "alertmanager": "Alertmanager", "pushgateway": "Pushgateway", PAGE: "page"}


@contextmanager
def watching(
    programs: Programs,
    ports: Ports,
    folder: Path,
    targets: Mapping[str, Sequence[str]],
    retention: str = RETENTION,
    telegram: Telegram | None = None,
) -> Iterator[dict[str, LocalServer]]:
    """Run the servers until the block ends, ready when it begins.

    Args:
        programs: To start.
        ports: Free ones.
        folder: For configuration, data and logs; made where missing.
        targets: Addresses by service.
        retention: How long Prometheus keeps samples.
        telegram: Where alerts are told; None shows them on the page only.

    Raises:
        ConfigError: If a configuration cannot be written, or the folder is another's.
        ServerError: If a server does not become ready.
    """
    started: dict[str, LocalServer] = {}
    with ExitStack() as opened:
        opened.enter_context(held(folder))
        write_files(folder, ports, targets, load_service_levels(SLO_FILE), telegram)
        for name, command in commands(programs, ports, folder.absolute(), retention).items():
            log = folder / "logs" / f"{name}.log"
            started[name] = opened.enter_context(running(_NAMES[name], command, getattr(ports, name), {}, log))
        for name, server in started.items():
            server.wait_until_ready(_READY_AT.get(name, "/-/ready"), _READY_SECONDS)
        yield started


def main(argv: Sequence[str] | None = None) -> int:
    """Watch until Ctrl-C; 0 then, 1 if it cannot be watched or a server ended, 2 on bad input."""
    given = _arguments(argv)
    telemetry_off()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    with stopping_signals():
        try:
            _watch(given)
        except RetrievalError as error:
            sys.stderr.write(f"error: {error}\n")
            return 2 if isinstance(error, ConfigError) else 1
        except KeyboardInterrupt:  # before everything had started
            pass
    sys.stdout.write("\nstopped\n")
    return 0


def _watch(given: argparse.Namespace) -> None:
    """Look at what was typed, start, say where, and wait."""
    parent = os.getppid()
    need("monitoring", "python -m monitoring.monitor")  # the page does
    targets = chosen_targets({service: getattr(given, service.replace("-", "_")) for service in DEFAULTS})
    retention, telegram = retention_checked(given.retention), read_telegram(os.environ)
    allowed = limits(given.ngrok_allow) if given.ngrok else None
    if given.ngrok_allow and not given.ngrok:
        raise ConfigError("--ngrok-allow: is for --ngrok, which is not given; add it")
    if allowed is not None and GATEWAY not in targets:
        raise ConfigError("--ngrok: opens the gateway's metrics, and the gateway is left out; name it with --gateway")
    programs = Programs.found(given.bin)
    ports = Ports(**{field.name: getattr(given, f"{field.name}_port") for field in fields(Ports)}).claimed()
    with ExitStack() as opened:
        servers = opened.enter_context(watching(programs, ports, given.data, targets, retention, telegram))
        public = _public(opened, targets, allowed)
        sys.stdout.write(_said(programs, ports, given.data, targets, telegram is not None, public))
        sys.stdout.flush()
        serve_until_interrupted(list(servers.values()), [], [stop_without(parent)] if given.tied else [])


def _public(opened: ExitStack, targets: Mapping[str, Sequence[str]], allowed: Limits | None) -> str:
    return "" if allowed is None else opened.enter_context(tunnel(targets[GATEWAY][0], allowed))


def _said(
    programs: Programs, ports: Ports, data: Path, targets: Mapping[str, Sequence[str]], telegram: bool, public: str
) -> str:
    lines = [
        f"page           {ports.url('page')}/",
        f"Prometheus     {front_page(programs.prometheus, ports.url('prometheus'))}",
        f"Alertmanager   {ports.url('alertmanager')}/",
        f"Pushgateway    {ports.url('pushgateway')}/   pipelines push there with",
        f"               export {ADDRESS}={ports.url('pushgateway')}",
        *(f"{service:14} {', '.join(addresses)}" for service, addresses in targets.items()),
    ]
    if public:
        lines.append(f"gateway's metrics, for a Prometheus elsewhere: {public}")
    alerts = "go to Telegram" if telegram else f"are only shown on the page: {TOKEN} and {CHAT} are not set"
    return "\n".join([*lines, f"alerts         {alerts}", f"data and logs  {data}", "Ctrl-C to stop", ""])


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    summary = (__doc__ or "").partition(": ")[2].partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m monitoring.monitor", description=summary)
    for service, default in DEFAULTS.items():
        what = f"where one is; repeat it for replicas, none where there is none (default {default})"
        parser.add_argument(f"--{service}", action="append", metavar="HOST:PORT", help=what)
    for port in fields(Ports):
        parser.add_argument(option(port.name), type=int, default=port.default, help=f"default {port.default}")
    parser.add_argument(
        "--bin",
        type=Path,
        metavar="DIR",
        help=f"folder with the programs (default {FOLDER_VARIABLE}, the PATH, .cache)",
    )
    parser.add_argument("--data", type=Path, default=MONITORING_DATA, metavar="DIR", help=f"default {MONITORING_DATA}")
    parser.add_argument("--retention", default=RETENTION, metavar="TIME", help=f"of samples (default {RETENTION})")
    parser.add_argument("--ngrok", action="store_true", help="open the gateway's metrics to a Prometheus elsewhere")
    parser.add_argument(
        "--ngrok-allow", action="append", default=[], metavar="NETWORK", help="that may ask, such as 203.0.113.7/32"
    )
    parser.add_argument("--tied", action="store_true", help="stop when whoever started this ends, as make monitor does")
    return parser.parse_args(argv)
