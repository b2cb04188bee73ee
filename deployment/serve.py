"""``python -m deployment.serve`` (``make serve``): search on this machine, from the newest trained retriever.

A bundle is made of the retriever, or the one already made of it is used; then bi-encoder service, cross-encoder service
and gateway run until Ctrl-C, or with ``--in-process`` the gateway alone.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deployment.local_servers import (
    LOCALHOST,
    LocalServer,
    claim_port,
    running,
)
from deployment.settings import BI_ENCODER_PORT, CROSS_ENCODER_PORT, GATEWAY_PORT

LOGS = Path(".cache/serve")
_READY_SECONDS = 300.0
_OFFER = "the untouched encoder can be served instead (some minutes to read the law once)"


@dataclass(frozen=True)
class Ports:
    """Where the three answer; 0 lets the system choose."""

    gateway: int = GATEWAY_PORT
    bi_encoder: int = BI_ENCODER_PORT
    cross_encoder: int = CROSS_ENCODER_PORT

    def claimed(self, in_process: bool) -> Ports:
        """The same, each free.

        Raises:
            ServerError: If one is taken.
        """
        gateway = claim_port(self.gateway, "--port")
        if in_process:
            return Ports(gateway)
        pair = claim_port(self.bi_encoder, "--bi-encoder-port"), claim_port(self.cross_encoder, "--cross-encoder-port")
        return Ports(gateway, *pair)


@dataclass(frozen=True)
class Serving:
    """What runs.

    Attributes:
        gateway: Where people search.
        bi_encoder: None in one process.
        cross_encoder: None in one process, or where the bundle has none.
    """

    gateway: LocalServer
    bi_encoder: LocalServer | None = None
    cross_encoder: LocalServer | None = None

    @property
    def all(self) -> list[LocalServer]:
        """Every process."""
        return [one for one in (self.bi_encoder, self.cross_encoder, self.gateway) if one is not None]


@contextmanager
def serving(bundle: Path, ports: Ports, in_process: bool, rerank: bool, logs: Path = LOGS) -> Iterator[Serving]:
    """Run the processes until the block ends, ready when it begins.

    Args:
        bundle: What they serve.
        ports: Free ones.
        in_process: One process for all.
        rerank: Whether the bundle has a cross-encoder.
        logs: Folder for what they say.

    Raises:
        ServerError: If one does not become ready.
    """
    logs.mkdir(parents=True, exist_ok=True)
    key = secrets.token_hex(24)  # so that nobody else on this machine takes the services for their own
    model = {"RETRIEVER_BUNDLE": str(bundle), "RETRIEVER_HOST": LOCALHOST, "RETRIEVER_API_KEYS": key}
    with ExitStack() as opened:

        def start(name: str, port: int, environment: Mapping[str, str], *options: str) -> LocalServer:
            command = [sys.executable, "-m", f"deployment.{name.replace('-', '_')}", *options]
            log = logs / f"{name}.log"
            return opened.enter_context(running(name, command, port, {**environment, "RETRIEVER_PORT": str(port)}, log))

        if in_process:
            own = {"RETRIEVER_BUNDLE": str(bundle), "RETRIEVER_HOST": LOCALHOST}
            started = Serving(start("gateway", ports.gateway, own, "--in-process"))
        else:
            urls = {
                "RETRIEVER_BI_ENCODER_URL": f"http://{LOCALHOST}:{ports.bi_encoder}",
                "RETRIEVER_CROSS_ENCODER_URL": f"http://{LOCALHOST}:{ports.cross_encoder}",
            }
            own = {"RETRIEVER_BUNDLE": str(bundle), "RETRIEVER_HOST": LOCALHOST, "RETRIEVER_SERVICE_KEY": key}
            started = Serving(
                start("gateway", ports.gateway, own | urls),
                start("bi-encoder-service", ports.bi_encoder, model),
                start("cross-encoder-service", ports.cross_encoder, model) if rerank else None,
            )
        for server in started.all:
            server.wait_until_ready("/ready", _READY_SECONDS)
        yield started
