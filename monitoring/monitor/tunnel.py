"""Opens the gateway's metrics, and nothing else of it, to a Prometheus elsewhere through ngrok; limited, or not at all.

The gateway's other doors must not come with its metrics, so what ngrok forwards to is a small server of our own that
answers ``GET /metrics`` alone. Who may ask it is checked by ngrok before anything reaches this machine: a user and
password, networks that are let in, or both.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from retrieval.errors import ConfigError, ServerError
from retrieval.extras import need
from retrieval.processes.servers import LOCALHOST

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

TOKEN, PASSWORD = "NGROK_AUTHTOKEN", "MONITORING_NGROK_AUTH"
_SHORTEST, _LONGEST = 8, 128
"""Characters of a password that ngrok takes."""
_PATIENCE_SECONDS = 30.0
_MOST_METRICS = 16 << 20


@dataclass(frozen=True)
class Limits:
    """Who may ask.

    Attributes:
        networks: Addresses that are let in, such as ``203.0.113.7/32``; empty lets in all.
        user: Asked for; empty asks for none.
        password: Asked for.
    """

    networks: Sequence[str] = ()
    user: str = ""
    password: str = field(default="", repr=False)


def limits(networks: Sequence[str], variables: Mapping[str, str] | None = None) -> Limits:
    """Limits as given.

    Args:
        networks: As typed.
        variables: With ``MONITORING_NGROK_AUTH`` as ``USER:PASSWORD``; default this process's.

    Raises:
        ConfigError: If there is no token, no limit, or a limit that is none.
    """
    known = os.environ if variables is None else variables
    if not known.get(TOKEN):
        raise ConfigError(f"--ngrok: {TOKEN} is not set; take one from dashboard.ngrok.com, or leave --ngrok out")
    user, parted, password = known.get(PASSWORD, "").partition(":")
    if not networks and not parted:
        raise ConfigError(
            f"--ngrok: anybody could read the metrics; set {PASSWORD}=USER:PASSWORD, or give --ngrok-allow NETWORK"
        )
    if known.get(PASSWORD) and not (user and _SHORTEST <= len(password) <= _LONGEST):
        raise ConfigError(f"{PASSWORD}: give USER:PASSWORD with a password of {_SHORTEST} to {_LONGEST} characters")
    return Limits([_network(text) for text in networks], user, password)


def _network(text: str) -> str:
    try:
        found = ipaddress.ip_network(text)
    except ValueError as error:
        raise ConfigError(f"--ngrok-allow: got {text!r} ({error}); give a network such as 203.0.113.7/32") from error
    if found.prefixlen == 0:
        raise ConfigError(f"--ngrok-allow: {text} lets in everybody; name the network of the Prometheus that asks")
    return str(found)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _read(opener: urllib.request.OpenerDirector, url: str) -> tuple[str, str, bytes]:
    """Status, type and content of what the gateway shows."""
    try:
        with opener.open(url, timeout=10) as shown:
            return "200 OK", shown.headers.get("Content-Type", "text/plain"), shown.read(_MOST_METRICS)
    except OSError:
        return "502 Bad Gateway", "text/plain", b"the gateway does not answer\n"


@contextmanager
def metrics_door(gateway: str) -> Iterator[str]:
    """Serve the metrics of a gateway on a port of this machine, and nothing else; gives the address.

    Args:
        gateway: ``HOST:PORT``.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def answer(asked: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        status, kind, body = "404 Not Found", "text/plain", b"only /metrics is here\n"
        if asked["PATH_INFO"] == "/metrics" and not asked.get("QUERY_STRING"):
            if asked["REQUEST_METHOD"] != "GET":
                status, body = "405 Method Not Allowed", b"metrics can only be read\n"
            else:
                status, kind, body = _read(opener, f"http://{gateway}/metrics")
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    server = make_server(LOCALHOST, 0, answer, _Server, _Silent)
    thread = threading.Thread(target=server.serve_forever, name="metrics door", daemon=True)
    thread.start()
    try:
        yield f"http://{LOCALHOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def tunnel(gateway: str, allowed: Limits, session: Callable[[], Any] | None = None) -> Iterator[str]:
    """Open the gateway's metrics until the block ends; gives their address on the internet.

    Args:
        gateway: ``HOST:PORT``.
        allowed: Who may ask.
        session: Gives a builder of ngrok's sessions; default the SDK's.

    Raises:
        ServerError: If ngrok does not let us in.
    """
    if session is None:
        need("ngrok", "--ngrok")
        import ngrok

        session = ngrok.SessionBuilder
    loop = asyncio.new_event_loop()
    runner = threading.Thread(target=loop.run_forever, name="ngrok", daemon=True)
    runner.start()

    def wait(work: Any) -> Any:  # noqa: ANN401 - of a package without types of its own
        return asyncio.run_coroutine_threadsafe(work, loop).result(_PATIENCE_SECONDS)

    try:
        with metrics_door(gateway) as door:
            try:
                opened, listener = wait(_opened(session(), allowed, door))
            except Exception as error:  # the SDK has no class of its own
                raise ServerError(f"ngrok: {' '.join(str(error).split())[:300]}; see {TOKEN}") from error
            try:
                yield f"{listener.url()}/metrics"
            finally:
                wait(_closed(opened, listener))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        runner.join()
        loop.close()


async def _opened(builder: Any, allowed: Limits, door: str) -> tuple[Any, Any]:  # noqa: ANN401
    session = await builder.authtoken_from_env().connect()
    endpoint = session.http_endpoint()
    if allowed.user:
        endpoint = endpoint.basic_auth(allowed.user, allowed.password)
    for network in allowed.networks:
        endpoint = endpoint.allow_cidr(network)
    return session, await endpoint.listen_and_forward(door)


async def _closed(session: Any, listener: Any) -> None:  # noqa: ANN401
    await listener.close()
    await session.close()
