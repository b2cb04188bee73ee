"""``python -m deployment.serve`` (``make serve``): search on this machine, from the newest trained retriever.

A bundle is made of the retriever, or the one already made of it is used; then bi-encoder service, cross-encoder service
and gateway run until Ctrl-C, or with ``--in-process`` the gateway alone.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deployment.bundle.fetch import local_folder
from deployment.bundle.format import Bundle
from deployment.bundle.local import NEWEST, bundle_of, trained_folder, zero_shot_bundle
from deployment.ports import BI_ENCODER_PORT, CROSS_ENCODER_PORT, GATEWAY_PORT
from deployment.serve.state_preparation import preparing_states
from retrieval.errors import ArtifactError, ConfigError, RetrievalError
from retrieval.extras import need
from retrieval.model_store import kept_retrievers
from retrieval.names import BI_ENCODER, CROSS_ENCODER
from retrieval.paths import SERVE_LOGS
from retrieval.processes.servers import (
    LOCALHOST,
    LocalServer,
    claim_port,
    running,
    serve_until_interrupted,
    stop_without,
    stopping_signals,
)
from retrieval.telemetry import telemetry_off

if TYPE_CHECKING:
    from deployment.serve.settings import ServeSettings

_logger = logging.getLogger(__name__)
_READY_SECONDS = 300.0
_OFFER = "without training, the bundled encoder and BM25 can be served; reading all the law once takes some minutes"
_FORMER_OPTIONS = {
    "--untouched": "--zero-shot",
    "--law-states": "--precompute-states",
    "--no-law-states": "--no-precompute-states",
}


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
            ConfigError: If two are the same.
        """
        gateway = claim_port(self.gateway, "--port")
        if in_process:
            return Ports(gateway)
        wanted = [port for port in (self.gateway, self.bi_encoder, self.cross_encoder) if port]
        if len(set(wanted)) < len(wanted):
            raise ConfigError(
                f"ports: --port {self.gateway}, --bi-encoder-port {self.bi_encoder}, --cross-encoder-port"
                f" {self.cross_encoder}; give three different ones"
            )
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
def serving(
    bundle: Path,
    ports: Ports,
    in_process: bool,
    rerank: bool,
    logs: Path = SERVE_LOGS,
    chosen: ServeSettings | None = None,
) -> Iterator[Serving]:
    """Run the processes until the block ends, ready when it begins.

    Args:
        bundle: What they serve.
        ports: Free ones.
        in_process: One process for all.
        rerank: Whether the bundle has a cross-encoder.
        logs: Folder for what they say.
        chosen: The user's settings; None reads them from the environment.

    Raises:
        ServerError: If one does not become ready.
    """
    logs.mkdir(parents=True, exist_ok=True)
    from deployment.serve.settings import read_serve_settings  # with packages of the extra `serving`

    user = chosen or read_serve_settings()
    own = {"RETRIEVER_BUNDLE": str(bundle), "RETRIEVER_HOST": LOCALHOST}
    with ExitStack() as opened:

        def start(name: str, port: int, environment: Mapping[str, str], *options: str) -> LocalServer:
            command = [sys.executable, "-m", f"deployment.{name.replace('-', '_')}", *options]
            log = logs / f"{name}.log"
            return opened.enter_context(running(name, command, port, {**environment, "RETRIEVER_PORT": str(port)}, log))

        if in_process:
            started = Serving(start("gateway", ports.gateway, own, "--in-process"))
        else:
            urls = {
                "RETRIEVER_BI_ENCODER_URL": f"http://{LOCALHOST}:{ports.bi_encoder}",
                "RETRIEVER_CROSS_ENCODER_URL": f"http://{LOCALHOST}:{ports.cross_encoder}",
            }
            model = own | user.of_services
            started = Serving(
                start("gateway", ports.gateway, own | user.of_gateway | urls),
                start("bi-encoder-service", ports.bi_encoder, model),
                start("cross-encoder-service", ports.cross_encoder, model) if rerank else None,
            )
        for server in started.all:
            server.wait_until_ready("/ready", _READY_SECONDS)
        yield started


def choose_bundle(model: str, pretrained: bool, named: Path | None = None) -> Bundle:
    """What to serve.

    Args:
        model: As in `trained_folder`.
        pretrained: The encoder as it comes, instead.
        named: A bundle or retriever folder, unless ``model`` or ``pretrained`` is chosen.

    Raises:
        ArtifactError: If there is no trained retriever and the pretrained encoder is not wanted.
    """
    if pretrained:
        return zero_shot_bundle()
    if named is not None and model == NEWEST:
        return bundle_of(named)
    try:
        return bundle_of(trained_folder(model))
    except ArtifactError as error:
        if model != NEWEST or kept_retrievers():
            raise
        if not _agreed(f"{error}\n{_OFFER}. Do that? [y/N] "):
            raise ArtifactError(f"{error}; or serve the pretrained encoder: make serve ARGS=--zero-shot") from error
        return zero_shot_bundle()


def _agreed(question: str) -> bool:
    """Whether a person at a terminal says yes; where nobody is, no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; 0 then, 1 if it cannot be served or a service ended, 2 on bad input."""
    given = _arguments(argv)
    telemetry_off()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    with stopping_signals():
        try:
            need("serving", "python -m deployment.serve")
            from deployment.serve.settings import read_serve_settings

            _serve(given, read_serve_settings())
        except RetrievalError as error:
            sys.stderr.write(f"error: {error}\n")
            return 2 if isinstance(error, ConfigError) else 1
        except KeyboardInterrupt:  # before everything had started
            pass
    sys.stdout.write("\nstopped\n")
    return 0


def _serve(given: argparse.Namespace, user: ServeSettings) -> None:
    """Choose, start, say where, and wait."""
    settings, in_process, parent = user.settings, given.in_process, os.getppid()
    chosen = given.zero_shot or given.model != NEWEST
    for line in user.not_used(in_process, chosen):
        _logger.warning("%s", line)
    ports = Ports(user.port(given.port), given.bi_encoder_port, given.cross_encoder_port).claimed(in_process)
    named = None if chosen or not settings.bundle else local_folder(settings.bundle, settings.cache)
    bundle = choose_bundle(given.model, given.zero_shot, named)
    _logger.info("starting %s", "one process" if in_process else "gateway and services")
    folder = bundle.folder.absolute()
    with serving(folder, ports, in_process, bundle.has_cross_encoder, chosen=user) as started:
        sys.stdout.write(_said(bundle, started, user))
        sys.stdout.flush()
        dispensable = [one for one in (started.cross_encoder,) if one is not None]
        needed = [one for one in started.all if one not in dispensable]
        with preparing_states(started.gateway, given.precompute_states, SERVE_LOGS / "precomputed-states.log") as read:
            serve_until_interrupted(needed, dispensable, [read, stop_without(parent)] if given.tied else [read])


def _said(bundle: Bundle, started: Serving, user: ServeSettings) -> str:
    facts = bundle.facts
    lines = [f"retriever {facts.retriever}, index {facts.index}, from {bundle.folder}"]
    if not bundle.has_cross_encoder:
        lines.append("no cross-encoder: articles stay in the first stage's order")
    lines.append(f"search page    {started.gateway.url}/")
    lines.append(f"search API     {started.gateway.url}/search  (POST; {started.gateway.url}/openapi.json)")
    for name, server in ((BI_ENCODER, started.bi_encoder), (CROSS_ENCODER, started.cross_encoder)):
        lines += [f"{name:14} {server.url}"] if server is not None else []
    lines += user.access(in_process=started.bi_encoder is None)
    return "\n".join([*lines, f"logs           {SERVE_LOGS}", "Ctrl-C to stop", ""])


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    summary = (__doc__ or "").partition(": ")[2].partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m deployment.serve", description=summary)
    parser.add_argument(
        "--model",
        default=NEWEST,
        metavar="NAME",
        help="production, staging, latest, a kept version or a folder (default: the first of these that there is)",
    )
    parser.add_argument("--zero-shot", action="store_true", help="serve the bundled encoder as it comes")
    parser.add_argument("--in-process", action="store_true", help="one process, without the two services")
    parser.add_argument("--port", type=int, help=f"of the gateway (default RETRIEVER_PORT, else {GATEWAY_PORT})")
    for name, port in ((BI_ENCODER, BI_ENCODER_PORT), (CROSS_ENCODER, CROSS_ENCODER_PORT)):
        parser.add_argument(f"--{name}-port", type=int, default=port, help=f"of the {name} service (default {port})")
    parser.add_argument(
        "--precompute-states",
        action=argparse.BooleanOptionalAction,
        help="read the law for the reranker beside serving, where that was not done (default: where a person watches)",
    )
    parser.add_argument("--tied", action="store_true", help="stop when whoever started this ends, as make serve does")
    for word in sys.argv[1:] if argv is None else argv:
        if word in _FORMER_OPTIONS:
            parser.error(f"{word} is now called {_FORMER_OPTIONS[word]}; type that")
    return parser.parse_args(argv)
