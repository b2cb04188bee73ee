"""A stand-in for RunPod's control plane, over HTTP as the SDK's worker loop sees it: hands out jobs, takes results."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

POD = "pod-1"
_HOLD_SECONDS = 0.5  # how long an empty queue keeps a worker waiting


@dataclass
class ControlPlane:
    """Jobs that wait and results that came.

    Attributes:
        results: What the worker posted, by job.
        batches: Size of each batch of jobs that was handed out.
    """

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    _waiting: deque[dict[str, Any]] = field(default_factory=deque)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._requests())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """What RunPod sets in a worker's container."""
        assert self._server is not None
        root = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {
            "RUNPOD_POD_ID": POD,
            "RUNPOD_WEBHOOK_GET_JOB": f"{root}/job-take/$ID?gpu=none",
            "RUNPOD_WEBHOOK_POST_OUTPUT": f"{root}/job-done/$RUNPOD_POD_ID/$ID?gpu=none",
            "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
            "RUNPOD_SKIP_GPU_CHECK": "true",
        }

    def submit(self, *inputs: object) -> list[str]:
        """Queue jobs together; gives their ids."""
        with self._changed:
            first = len(self.results) + len(self._waiting) + sum(self.batches)
            jobs = [{"id": f"job-{first + n}", "input": one} for n, one in enumerate(inputs)]
            self._waiting.extend(jobs)
            self._changed.notify_all()
        return [job["id"] for job in jobs]

    def results_of(self, ids: list[str], seconds: float = 300) -> list[dict[str, Any]]:
        """Results of jobs, when all have come."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while missing := [one for one in ids if one not in self.results]:
                assert self._changed.wait(deadline - time.monotonic()), f"no result of {missing}"
            return [self.results[one] for one in ids]

    def run(self, *inputs: object) -> list[dict[str, Any]]:
        return self.results_of(self.submit(*inputs))

    def _take(self, most: int) -> list[dict[str, Any]]:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting), _HOLD_SECONDS)
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self.batches.extend([len(taken)] if taken else [])
        return taken

    def _done(self, job: str, result: dict[str, Any]) -> None:
        with self._changed:
            self.results[job] = result
            self._changed.notify_all()

    def _requests(self) -> type[BaseHTTPRequestHandler]:
        plane = self

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                where = urlsplit(self.path)
                if where.path == f"/job-take/{POD}":
                    taken = plane._take(1)
                    self._answer(taken[0] if taken else None)
                elif where.path == f"/job-take-batch/{POD}":
                    self._answer(plane._take(int(parse_qs(where.query)["batch_size"][0])) or None)
                else:  # the channel that stops jobs
                    time.sleep(_HOLD_SECONDS)
                    self._answer(None)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                plane._done(urlsplit(self.path).path.rpartition("/")[2], json.loads(body))
                self._answer({})

            def _answer(self, values: object) -> None:
                content = b"" if values is None else json.dumps(values).encode()
                self.send_response(204 if values is None else 200)
                if content:
                    self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
                """Nothing; the worker's log is what is of interest."""

        return Requests
