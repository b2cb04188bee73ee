"""Services for tests of what watches them: each starts again on its own port, and clients ask all the time."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from deployment.bundle.format import Bundle
from monitoring.monitor.targets import write_targets
from monitoring.slo import SLO_FILE
from retrieval.processes.servers import LocalServer, free_port
from tests.helpers.fault_proxy import FaultProxy, fault_proxy
from tests.helpers.monitoring_stack import MonitoringStack, monitoring_stack, until
from tests.helpers.service_processes import service
from tests.helpers.stub_bot_api import serving
from tests.helpers.tiny_bundle import QUESTION

_READY_SECONDS = PATIENCE_SECONDS = 120.0
_NAMES = ("gateway", "bi-encoder", "cross-encoder", "second-bi-encoder", "second-cross-encoder")
_QUICK = {
    "RETRIEVER_PRECISION": "float32",
    "RETRIEVER_THREADS": "1",
    "RETRIEVER_RERANK_BUDGET_SECONDS": "5",
}


class Services:
    """Service processes on ports of their own, so that one that is started again is the same target.

    Attributes:
        ports: By name.
        proxy: Stands before the bi-encoder.
    """

    def __init__(self, bundle: Bundle, folder: Path, proxy: FaultProxy) -> None:
        self._bundle, self._folder, self.proxy = bundle, folder, proxy
        self.ports = {name: free_port() for name in _NAMES}
        self._running: dict[str, ExitStack] = {}

    def start(self, name: str, bundle: Bundle | None = None) -> None:
        module = "gateway" if name == "gateway" else f"{name.removeprefix('second-').replace('-', '_')}_service"
        urls = {
            "RETRIEVER_BI_ENCODER_URL": self.proxy.url,
            "RETRIEVER_CROSS_ENCODER_URL": f"http://127.0.0.1:{self.ports['cross-encoder']}",
        }
        settings = _QUICK | {"RETRIEVER_PORT": str(self.ports[name])} | (urls if name == "gateway" else {})
        opened = ExitStack()
        server: LocalServer = opened.enter_context(
            service(module, (bundle or self._bundle).folder, self._folder / name, settings, ready=False)
        )
        self._running[name] = opened
        wait_until_listening(server, self.ports[name])

    def stop(self, name: str) -> None:
        self._running.pop(name).close()

    def close(self) -> None:
        for name in list(self._running):
            self.stop(name)


def wait_until_listening(server: LocalServer, port: int) -> None:
    def ready() -> bool:
        server.check()
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{port}/ready", timeout=5).status_code == httpx.codes.OK
        return False

    until(ready, _READY_SECONDS, f"{server.name} is ready")


class Traffic:
    """Clients that search and score all the time, as long as the block lasts."""

    def __init__(self, services: Services) -> None:
        self._gateway = f"http://127.0.0.1:{services.ports['gateway']}"
        self._cross_encoder = f"http://127.0.0.1:{services.ports['second-cross-encoder']}"
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._search) for _ in range(8)]
        self._threads.append(threading.Thread(target=self._score))

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _search(self) -> None:
        with httpx.Client(base_url=self._gateway, timeout=60) as client:
            while not self._ended.wait(0.4):
                with suppress(httpx.HTTPError):
                    client.post("/search", json={"question": QUESTION})

    def _score(self) -> None:
        pairs = [{"query": QUESTION, "document": f"Người lao động được nghỉ {number} ngày."} for number in range(64)]
        with httpx.Client(base_url=self._cross_encoder, timeout=60) as client:
            while not self._ended.wait(0.3):
                with suppress(httpx.HTTPError):
                    client.post("/infer", json={"action": "batch_score", "pairs": pairs})


class Watched:
    """Services under traffic and what watches them."""

    def __init__(
        self, services: Services, stack: MonitoringStack, folder: Path, addresses: dict[str, list[str]]
    ) -> None:
        self.services, self.stack, self._folder, self.addresses = services, stack, folder, addresses

    def watch(self, endpoint: str, *addresses: str) -> None:
        """Have Prometheus read other targets of an endpoint, as of now."""
        write_targets(self._folder, self.addresses | {endpoint: addresses})

    def messages(self, kind: str) -> Counter[str]:
        """How often each alert was told of, by ``firing`` or ``resolved``."""
        return Counter(name for text in self.stack.bot.delivered for name in told_of(text, kind))

    def expects(self, alert: str) -> Expected:
        """An alert that is to come from now on."""
        return Expected(self, alert, self.messages("firing")[alert], self.messages("resolved")[alert])


@dataclass(frozen=True)
class Expected:
    """An alert that a fault should raise, and how often it was told before."""

    watched: Watched
    alert: str
    fired: int
    ended: int

    def comes(self) -> None:
        """Wait until people are told."""
        until(lambda: self._told("firing") > self.fired, PATIENCE_SECONDS, f"{self.alert} is told")

    def ends(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until people are told that it is over; each was told once."""
        until(lambda: self._told("resolved") > self.ended, seconds, f"the end of {self.alert} is told")
        assert (self._told("firing"), self._told("resolved")) == (self.fired + 1, self.ended + 1)

    def _told(self, kind: str) -> int:
        return self.watched.messages(kind)[self.alert]


def told_of(html: str, kind: str) -> list[str]:
    """Names of the alerts in a message, by the links to their runbooks."""
    over = html.startswith("<b>✅")
    names: list[str] = re.findall(r"/runbooks#(\w+)", html)
    return names[:1] if over == (kind == "resolved") else []


@contextmanager
def watched_services(bundle: Bundle, folder: Path, slo: Path = SLO_FILE, hurry: int = 1) -> Iterator[Watched]:
    """Run services, traffic and what watches them until the block ends.

    Args:
        bundle: Served.
        folder: For logs, configuration and data.
        slo: Objectives.
        hurry: How many times faster rules and servers look.
    """
    with ExitStack() as opened:
        bot = opened.enter_context(serving())
        placed = free_port()
        proxy = opened.enter_context(fault_proxy(f"http://127.0.0.1:{placed}"))
        services = Services(bundle, folder, proxy)
        services.ports["bi-encoder"] = placed
        opened.callback(services.close)
        for name in ("bi-encoder", "cross-encoder", "second-cross-encoder", "gateway"):
            services.start(name)
        both = ("cross-encoder", "second-cross-encoder")
        targets = {name: [f"127.0.0.1:{services.ports[name]}"] for name in ("gateway", "bi-encoder")}
        targets["cross-encoder"] = [f"127.0.0.1:{services.ports[name]}" for name in both]
        stack = opened.enter_context(monitoring_stack(folder / "monitoring", targets, bot, slo, hurry))
        opened.enter_context(Traffic(services))
        yield Watched(services, stack, folder / "monitoring" / "targets", targets)
