"""`make serve` as a process of its own, for tests that ask, hurt and stop it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from retrieval.processes.servers import free_port
from tests.helpers.tiny_bundle import QUESTION, tiny_retriever

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 240.0


class Serve:
    """The command, run in a folder of its own, with ports of its own unless options name others."""

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        self.ports = [free_port() for _ in range(3)]
        names = ("--port", "--bi-encoder-port", "--cross-encoder-port")
        given = [text for pair in zip(names, map(str, self.ports), strict=True) for text in pair]
        cleared = {name: value for name, value in os.environ.items() if not name.startswith("RETRIEVER_")}
        own = {"PYTHONPATH": str(ROOT), "RETRIEVER_RERANK_BUDGET_SECONDS": "20", "OMP_NUM_THREADS": "1"}
        self.output = folder / f"said-{self.ports[0]}.txt"
        with self.output.open("w") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deployment.serve", *given, *options],
                cwd=folder,
                env={**cleared, **own, **variables},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def url(self, service: int = 0, path: str = "") -> str:
        """Of the gateway (0), the bi-encoder (1) or the cross-encoder (2)."""
        return f"http://127.0.0.1:{self.ports[service]}{path}"

    @property
    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def wait_until_ready(self) -> None:
        eventually(lambda: "Ctrl-C" in self.said or self.process.poll() is not None)
        assert self.process.poll() is None, self.said

    def wait(self) -> int:
        """The code that it ends with."""
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def child(self, module: str) -> psutil.Process:
        (found,) = [one for one in psutil.Process(self.process.pid).children() if module in " ".join(one.cmdline())]
        return found

    def search(self, **more: object) -> dict:
        body = {"question": QUESTION, "top_k": 5, **more}
        answer = httpx.post(f"http://127.0.0.1:{self.ports[0]}/search", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the code that it ends with."""
        self.process.send_signal(number)
        return self.wait()


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.1)


def project_with_a_kept_retriever(made: Path) -> Path:
    """A folder with one kept retriever, as a training leaves it, without ZenML's word on stages."""
    from retrieval.model_store import KEPT, keep

    tiny_retriever(made / "encoder").save(made / "retriever")
    keep(made / "retriever", "1", made / KEPT)
    return made


def gone(*processes: psutil.Process) -> bool:
    return not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
