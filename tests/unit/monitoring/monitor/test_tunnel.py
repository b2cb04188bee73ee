"""Metrics opened through ngrok: what its SDK is asked for, and what the door behind it lets through.

No ngrok server is here: a stub stands for the SDK's session, and has only methods that the SDK has.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from monitoring.monitor.tunnel import Limits, limits, metrics_door, tunnel
from retrieval.errors import ConfigError, ServerError

TOKEN = {"NGROK_AUTHTOKEN": "t"}


class Gateway(BaseHTTPRequestHandler):
    """Answers everything, as a gateway without keys does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(f"asked for {self.path}\n".encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def gateway() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class Session:
    """Stands for ngrok's builder of sessions, its session, its endpoint and its listener, and notes what is asked."""

    def __init__(self, refuses: str = "") -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.refuses = refuses

    def authtoken_from_env(self) -> Session:
        self.asked.append(("authtoken_from_env",))
        return self

    async def connect(self) -> Session:
        if self.refuses:
            raise ValueError(self.refuses)
        return self

    def http_endpoint(self) -> Session:
        return self

    def basic_auth(self, user: str, password: str) -> Session:
        self.asked.append(("basic_auth", user, password))
        return self

    def allow_cidr(self, network: str) -> Session:
        self.asked.append(("allow_cidr", network))
        return self

    async def listen_and_forward(self, url: str) -> Session:
        self.asked.append(("listen_and_forward", url))
        return self

    def url(self) -> str:
        return "https://x.ngrok.app"

    async def close(self) -> None:
        self.asked.append(("close",))


def test_limits_are_set_before_anything_is_forwarded_and_only_the_door_is():
    stub, allowed = Session(), Limits(["203.0.113.7/32", "198.51.100.0/24"], "prom", "long enough")
    with gateway() as address, tunnel(address, allowed, lambda: stub) as public:
        assert public == "https://x.ngrok.app/metrics"
        door = stub.asked[-1][1]
        assert address not in door
        assert httpx.get(f"{door}/metrics", trust_env=False).text == "asked for /metrics\n"
    assert [one[0] for one in stub.asked] == [
        "authtoken_from_env", "basic_auth", "allow_cidr", "allow_cidr", "listen_and_forward", "close", "close",
    ]  # fmt: skip
    assert stub.asked[1:4] == [
        ("basic_auth", "prom", "long enough"), ("allow_cidr", "203.0.113.7/32"), ("allow_cidr", "198.51.100.0/24"),
    ]  # fmt: skip
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{door}/metrics", trust_env=False)


def test_the_stub_has_only_what_the_sdk_has():
    sdk = pytest.importorskip("ngrok")
    has = {
        name for kind in (sdk.SessionBuilder, sdk.Session, sdk.HttpListenerBuilder, sdk.Listener) for name in dir(kind)
    }
    assert {name for name in vars(Session) if not name.startswith("_")} <= has


def test_an_ngrok_that_lets_nobody_in_is_told_and_the_door_is_closed():
    allowed, refusing = Limits(["203.0.113.7/32"]), Session("ERR_NGROK_105 bad token")
    before = threading.active_count()
    with (
        pytest.raises(ServerError, match=r"ngrok: ERR_NGROK_105 .*; see NGROK_AUTHTOKEN"),
        tunnel("127.0.0.1:9", allowed, lambda: refusing),
    ):
        pytest.fail("nothing was opened")
    assert threading.active_count() == before


@pytest.mark.parametrize("path", ["/", "/search", "/metrics/", "/metrics?x=1", "/health", "/openapi.json"])
def test_nothing_but_metrics_goes_through_the_door(path: str):
    with gateway() as address, metrics_door(address) as door:
        assert httpx.get(f"{door}{path}", trust_env=False).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_metrics_can_only_be_read(method: str):
    with gateway() as address, metrics_door(address) as door:
        assert httpx.request(method, f"{door}/metrics", trust_env=False).status_code == 405


def test_a_gateway_that_is_away_is_told_as_that():
    with metrics_door("127.0.0.1:9") as door:
        assert httpx.get(f"{door}/metrics", trust_env=False).status_code == 502


def test_a_user_and_password_or_a_network_is_a_limit():
    assert limits([], TOKEN | {"MONITORING_NGROK_AUTH": "me:pass:word"}) == Limits([], "me", "pass:word")
    assert limits(["203.0.113.7", "2001:db8::/32"], TOKEN) == Limits(["203.0.113.7/32", "2001:db8::/32"])


def test_a_password_is_not_shown():
    assert "pass:word" not in repr(limits([], TOKEN | {"MONITORING_NGROK_AUTH": "me:pass:word"}))


@pytest.mark.parametrize(
    ("networks", "variables", "says"),
    [
        ([], {}, "NGROK_AUTHTOKEN is not set"),
        ([], TOKEN, "anybody could read the metrics; set MONITORING_NGROK_AUTH=USER:PASSWORD"),
        ([], TOKEN | {"MONITORING_NGROK_AUTH": "me:short"}, "a password of 8 to 128 characters"),
        ([], TOKEN | {"MONITORING_NGROK_AUTH": ":longenough"}, "give USER:PASSWORD"),
        (["203.0.113.7/32"], TOKEN | {"MONITORING_NGROK_AUTH": "nobody"}, "give USER:PASSWORD"),
        (["0.0.0.0/0"], TOKEN, "lets in everybody"),
        (["::/0"], TOKEN, "lets in everybody"),
        (["here"], TOKEN, "--ngrok-allow: got 'here'"),
        (["203.0.113.7/24"], TOKEN, "has host bits set"),
    ],
)
def test_without_a_token_or_a_limit_nothing_is_opened(networks: list[str], variables: dict[str, str], says: str):
    with pytest.raises(ConfigError, match=says):
        limits(networks, variables)
