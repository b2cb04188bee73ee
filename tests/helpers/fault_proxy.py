"""A door before a service that delays or spoils what passes through, where a test says so."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FaultProxy:
    """What is done to requests for answers; others pass as they are.

    Attributes:
        upstream: Address of the service.
        url: Where to ask instead.
        delay_seconds: Before each answer.
        fail_every: Each so-manieth request gets a 500 instead; 0 none.
        down: Connections are closed without an answer.
    """

    upstream: str
    url: str = ""
    delay_seconds: float = 0.0
    fail_every: int = 0
    down: bool = False
    seen: int = 0

    def heal(self) -> None:
        """Let everything pass."""
        self.delay_seconds, self.fail_every, self.down = 0.0, 0, False

    def passed(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """The answer to a request."""
        if path == "/infer":
            self.seen += 1
            time.sleep(self.delay_seconds)
            if self.fail_every and self.seen % self.fail_every == 0:
                return 500, b'{"error": {"code": "internal", "message": "spoiled on purpose"}}'
        request = urllib.request.Request(self.upstream + path, body or None, headers, method=method)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 502, b"{}"


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """Stand before a service until the block ends."""
    proxy = FaultProxy(upstream)

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer("GET")

        def do_POST(self) -> None:
            self.answer("POST")

        def answer(self, method: str) -> None:
            if proxy.down:
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            kept = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
            status, content = proxy.passed(method, self.path, body, kept)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
