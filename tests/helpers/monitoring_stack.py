"""The whole of `make monitor` for tests: the real servers with its files, and time that passes faster in the rules."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from monitoring.alertmanager.config import Telegram
from monitoring.monitor.files import write_files
from monitoring.monitor.servers import PAGE, Ports, Programs, commands
from monitoring.slo import SLO_FILE, load_service_levels
from retrieval.processes.servers import LocalServer, free_port, running
from tests.helpers.stub_bot_api import CHAT, TOKEN, StubBotApi

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_READY_SECONDS = 60.0


@dataclass(frozen=True)
class MonitoringStack:
    """What runs.

    Attributes:
        ports: Where.
        servers: By the name of their port.
        bot: What people are told.
    """

    ports: Ports
    servers: Mapping[str, LocalServer]
    bot: StubBotApi

    def firing(self) -> set[str]:
        """Names of the alerts that fire, as Prometheus has them."""
        found = httpx.get(f"{self.ports.url('prometheus')}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
        return {one["labels"]["alertname"] for one in found if one["state"] == "firing"}

    def value(self, query: str) -> float | None:
        """A query's first value now; None where there is none."""
        answer = httpx.get(f"{self.ports.url('prometheus')}/api/v1/query", params={"query": query}, timeout=10).json()
        result = answer["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def told(self, words: str, since: int = 0) -> list[str]:
        """Messages with these words, as a reader sees them, from the so-manieth on."""
        return [text for text in self.bot.shown[since:] if words in text]


def until(true: Callable[[], object], seconds: float, what: str) -> float:
    """Wait until something is so; gives how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)
    return time.monotonic() - began


@contextmanager
def monitoring_stack(
    folder: Path, targets: Mapping[str, Sequence[str]], bot: StubBotApi, slo: Path = SLO_FILE, hurry: int = 1
) -> Iterator[MonitoringStack]:
    """Run the servers until the block ends.

    Args:
        folder: For their files.
        targets: Addresses by service.
        bot: Stands in for Telegram.
        slo: Objectives.
        hurry: How many times faster rules and servers look; a minute of the rules then passes in so many seconds less.
    """
    ports = Ports(free_port(), free_port(), free_port(), free_port())
    told = Telegram(int(CHAT), int(CHAT), TOKEN, api_url=bot.url)
    write_files(folder, ports, targets, load_service_levels(slo), told)
    if hurry > 1:
        for path in (*(folder / "rules").glob("*.yaml"), folder / "prometheus.yml", folder / "alertmanager.yml"):
            path.write_text(hastened(path.read_text(encoding="utf-8"), hurry), encoding="utf-8")
    with ExitStack() as opened:
        servers = {
            name: opened.enter_context(
                running(name, command, getattr(ports, name), {}, folder / "logs" / f"{name}.log")
            )
            for name, command in commands(Programs.found(None), ports, folder.absolute(), "1d").items()
        }
        for name, server in servers.items():
            server.wait_until_ready("/health" if name == PAGE else "/-/ready", _READY_SECONDS)
        yield MonitoringStack(ports, servers, bot)


def hastened(text: str, hurry: int) -> str:
    """A configuration whose every duration is that many times shorter, a second at least."""

    def shorter(found: re.Match[str]) -> str:
        seconds = int(found[2]) * _UNITS[found[3]] / hurry
        return f"{found[1]}{max(1, round(seconds))}s"

    values = yaml.safe_load(text)
    keys = r"(\b(?:for|scrape_interval|evaluation_interval|scrape_timeout|group_wait|group_interval|repeat_interval): )"
    text = re.sub(keys + r"(\d+)([smhd])\b", shorter, text)
    text = re.sub(r"([\[:]|offset )(\d+)([smhd])(?=[\]:)]|\s|$)", shorter, text)
    assert yaml.safe_load(text) != values, "nothing in it is a duration"
    return text
