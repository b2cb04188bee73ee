"""The commands of Prometheus, Alertmanager, Pushgateway and the page, each on one port of this machine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from monitoring.tools import ALERTMANAGER, PROMETHEUS, PUSHGATEWAY, command_of, find_tool
from retrieval.errors import ConfigError
from retrieval.processes.servers import LOCALHOST, claim_port

PAGE = "page"
RETENTION = "35d"
_KEPT = "10GB"
"""Most that Prometheus keeps; what is older goes first."""


@dataclass(frozen=True)
class Ports:
    """Where each answers; 0 lets the system choose."""

    prometheus: int = 9090
    alertmanager: int = 9093
    pushgateway: int = 9091
    page: int = 8110

    def claimed(self) -> Ports:
        """The same, each free.

        Raises:
            ServerError: If one is taken.
            ConfigError: If two are the same.
        """
        wanted = {field.name: getattr(self, field.name) for field in fields(self)}
        given = [port for port in wanted.values() if port]
        if len(set(given)) < len(given):
            shown = ", ".join(f"{option(name)} {port}" for name, port in wanted.items())
            raise ConfigError(f"ports: {shown}; give four different ones")
        return Ports(**{name: claim_port(port, option(name)) for name, port in wanted.items()})

    def url(self, name: str) -> str:
        """Where one answers, without a final slash."""
        return f"http://{LOCALHOST}:{getattr(self, name)}"


def option(name: str) -> str:
    """Option of the command that names a port."""
    return f"--{name}-port"


@dataclass(frozen=True)
class Programs:
    """The programs that are started, each as the beginning of a command.

    Attributes:
        prometheus: Of Debian or of the Prometheus project, 2.26 or later.
        alertmanager: The same.
        pushgateway: The same.
    """

    prometheus: Sequence[str]
    alertmanager: Sequence[str]
    pushgateway: Sequence[str]

    @classmethod
    def found(cls, folder: Path | None) -> Programs:
        """The three programs.

        Args:
            folder: Looked at first.

        Raises:
            ConfigError: If one is not here, with how to get it; if the folder holds none of them.
        """
        if folder is not None and not folder.is_dir():
            raise ConfigError(f"--bin: {folder}: no such folder; name the one that holds prometheus")
        names = (PROMETHEUS, ALERTMANAGER, PUSHGATEWAY)
        found = [find_tool(name, folder) for name in names]
        if folder is not None and not any(one and one.parent.samefile(folder) for one in found):
            raise ConfigError(
                f"--bin: {folder}: holds none of {', '.join(names)}; name the folder that holds prometheus"
            )
        return cls(*(command_of(name, folder) for name in names))


def prometheus_command(
    program: Sequence[str], port: int, config: Path, data: Path, retention: str = RETENTION
) -> list[str]:
    """Prometheus: keeps exemplars, cannot be reloaded or stopped over HTTP."""
    return [
        *program,
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--storage.tsdb.retention.time={retention}",
        f"--storage.tsdb.retention.size={_KEPT}",
        "--enable-feature=exemplar-storage",
        f"--web.listen-address={LOCALHOST}:{port}",
        f"--web.external-url=http://{LOCALHOST}:{port}/",
        "--log.level=warn",
    ]


def alertmanager_command(program: Sequence[str], port: int, config: Path, data: Path) -> list[str]:
    """Alertmanager alone, without the port on which several would talk to each other."""
    return [
        *program,
        f"--config.file={config}",
        f"--storage.path={data}",
        "--cluster.listen-address=",
        f"--web.listen-address={LOCALHOST}:{port}",
        f"--web.external-url=http://{LOCALHOST}:{port}/",
        "--log.level=warn",
    ]


def pushgateway_command(program: Sequence[str], port: int, data: Path) -> list[str]:
    """Pushgateway: keeps what was pushed over a restart."""
    return [
        *program,
        f"--web.listen-address={LOCALHOST}:{port}",
        f"--persistence.file={data / 'pushed'}",
        "--persistence.interval=30s",
        "--log.level=warn",
    ]


def page_command(ports: Ports) -> list[str]:
    """The page of panels and runbooks."""
    sources = ["--prometheus", ports.url("prometheus"), "--alertmanager", ports.url("alertmanager")]
    return [sys.executable, "-m", "monitoring.page", "--port", str(ports.page), *sources]


def front_page(program: Sequence[str], url: str) -> str:
    """A page that a Prometheus has: Debian's is built with the classic ones only, under ``/classic``."""
    said = subprocess.run([*program, "--version"], capture_output=True, text=True, check=False)
    classic = re.search(r"branch: debian|\+ds", said.stdout + said.stderr)
    return f"{url}/classic/graph" if classic else f"{url}/graph"


def retention_checked(text: str) -> str:
    """How long Prometheus keeps samples, such as ``30d`` or ``12h``.

    Raises:
        ConfigError: If it is no such time.
    """
    if not re.fullmatch(r"[1-9]\d*(h|d|w|y)", text):
        raise ConfigError(f"--retention: got {text!r}; give a time such as 12h, 30d or 1y")
    return text


def commands(programs: Programs, ports: Ports, folder: Path, retention: str) -> dict[str, Sequence[str]]:
    """What is started, in this order, by the name of its port.

    Args:
        programs: To start.
        ports: Where.
        folder: With ``prometheus.yml`` and ``alertmanager.yml``; gets a folder of data for each.
        retention: How long Prometheus keeps samples.
    """
    return {
        "pushgateway": pushgateway_command(programs.pushgateway, ports.pushgateway, folder / "pushgateway"),
        "alertmanager": alertmanager_command(
            programs.alertmanager, ports.alertmanager, folder / "alertmanager.yml", folder / "alertmanager"
        ),
        "prometheus": prometheus_command(
            programs.prometheus, ports.prometheus, folder / "prometheus.yml", folder / "prometheus", retention
        ),
        PAGE: page_command(ports),
    }
