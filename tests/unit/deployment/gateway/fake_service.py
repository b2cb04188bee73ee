"""A service that a gateway asks, whose every answer a test decides, on a port of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMPONENTS = {
    "bm25": None, "bm25_scaled": 0.0, "dense": 0.5, "dense_scaled": 1.0, "passage": 0.5, "title": None, "hybrid": 0.7,
}  # fmt: skip


class FakeService:
    """Answers ``/ready`` and ``/infer`` as told.

    Attributes:
        ready: Status of ``/ready``.
        index: Version of its index.
        key: Needed for ``/infer``; empty needs none.
        hangs: Set to a cleared event, it does not answer until that is set.
        seen: Paths that were asked for.
    """

    def __init__(self, index: str, passage_states: dict[str, Any] | None = None) -> None:
        self.ready, self.index, self.key, self.passage_states = 200, index, "", passage_states
        self.hangs = threading.Event()
        self.hangs.set()
        self.seen: list[str] = []
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; on the same port as before, if it did."""
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                versions = {"retriever": "1", "index": service.index}
                body = {"status": "ready", "versions": versions, "passage_states": service.passage_states}
                self.answer(service.ready, body if service.ready == 200 else {"error": {"message": "secret"}})

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if service.key and self.headers.get("authorization") != f"Bearer {service.key}":
                    self.answer(401, {})
                elif asked["action"] == "search":
                    hit = {"cid": "1/2020/QH14:1", "score": 0.7, "snippet": "một", "components": COMPONENTS}
                    self.answer(200, {"index_version": service.index, "results": [hit]})
                else:
                    results = [{"index": place, "score": 0.5} for place in range(len(asked["documents"]))]
                    self.answer(200, {"results": results})

            def answer(self, status: int, body: dict[str, Any]) -> None:
                service.seen.append(self.path)
                service.hangs.wait()
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        self.hangs.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextmanager
def fake_service(index: str, passage_states: dict[str, Any] | None = None) -> Iterator[FakeService]:
    """A service that listens until the block ends."""
    service = FakeService(index, passage_states)
    service.start()
    try:
        yield service
    finally:
        service.stop()
