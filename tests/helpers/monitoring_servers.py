"""Prometheus's servers as processes of a test, and Pushgateways that misbehave."""

from __future__ import annotations

import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from monitoring.tools import PROMTOOL, PUSHGATEWAY, find_tool, tool
from retrieval.processes.servers import LocalServer, free_port, running

needs_pushgateway = pytest.mark.skipif(
    find_tool(PUSHGATEWAY) is None, reason="no Pushgateway here; make monitoring-tools unpacks one"
)


@contextmanager
def pushgateway(folder: Path) -> Iterator[LocalServer]:
    """A real one."""
    port = free_port()
    options = [f"--web.listen-address=127.0.0.1:{port}", f"--persistence.file={folder / 'pushed'}", "--log.level=error"]
    with running("Pushgateway", [str(tool(PUSHGATEWAY)), *options], port, {}, folder / "pushgateway.log") as server:
        server.wait_until_ready("/-/ready", 30)
        yield server


def metrics_of(url: str) -> str:
    """What ``/metrics`` shows."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/metrics", timeout=10) as answer:
        return answer.read().decode()


def pipeline_samples(url: str) -> dict[str, float]:
    """Every sample of a pipeline by its name and labels, without those that all have."""
    samples = {}
    for line in metrics_of(url).splitlines():
        if line.startswith("pipeline_"):
            series, _, value = line.rpartition(" ")
            samples[series.replace('instance="",job="pipeline",', "")] = float(value)
    return samples


def complaints_about(text: str) -> str:
    """What ``promtool check metrics`` says of metrics whose names begin with ``pipeline``."""
    own = "\n".join(line for line in text.splitlines() if "pipeline_" in line)
    done = subprocess.run(
        [str(tool(PROMTOOL)), "check", "metrics"], input=own + "\n", capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


@contextmanager
def strange_pushgateway(status: int = 200, body: bytes = b"", wait_seconds: float = 0.0) -> Iterator[str]:
    """Answers every request so; with a wait, one byte of the answer's head comes each time until it is over."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            ends = time.monotonic() + wait_seconds
            try:
                while time.monotonic() < ends and not over.wait(0.05):
                    self.wfile.write(b"H")
                    self.wfile.flush()
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # the other side had enough

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
