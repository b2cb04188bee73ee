"""`make monitor` as a process of its own, for tests that ask, hurt and stop it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil

from monitoring.tools import PROMETHEUS, tool
from retrieval.processes.servers import free_port
from tests.helpers.serve_process import PATIENCE_SECONDS, ROOT, eventually

PORTS = ("prometheus", "alertmanager", "pushgateway", "page")
_OWN = ("TELEGRAM_", "NGROK_", "MONITORING_", "RETRIEVER_")


class Monitor:
    """The command, run in a folder of its own, with ports of its own unless options name others."""

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        self.ports = {name: free_port() for name in PORTS}
        given = [text for name, port in self.ports.items() for text in (f"--{name}-port", str(port))]
        cleared = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
        own = {"PYTHONPATH": str(ROOT), "MONITORING_BIN": str(tool(PROMETHEUS).parent)}
        self.output = folder / f"said-{self.ports['page']}.txt"
        with self.output.open("w") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monitoring.monitor", *given, "--data", str(folder / "data"), *options],
                cwd=folder,
                env={**cleared, **own, **variables},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def url(self, name: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self.ports[name]}{path}"

    @property
    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def wait_until_ready(self) -> None:
        eventually(lambda: "Ctrl-C" in self.said or self.process.poll() is not None)
        assert self.process.poll() is None, self.said

    def wait(self) -> int:
        """The code that it ends with."""
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal; the code that it ends with."""
        self.process.send_signal(number)
        return self.wait()

    def query(self, promql: str) -> list[dict]:
        """What Prometheus answers now; empty while it does not."""
        asked = urllib.parse.urlencode({"query": promql})
        with suppress(OSError):
            return json.loads(get(self.url("prometheus", f"/api/v1/query?{asked}")))["data"]["result"]
        return []

    def ports_are_free(self) -> bool:
        return not [port for port in self.ports.values() if listens(port)]


def get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as answer:
        return answer.read().decode()


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
