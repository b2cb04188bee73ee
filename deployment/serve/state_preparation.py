"""``make serve`` beside its services: says that the law was not read for the reranker, and has it read."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retrieval.processes.servers import LocalServer
from retrieval.processes.supervision import end_with_parent

_ASK_EVERY_SECONDS = 1.0
_STOP_SECONDS = 5.0
_NICENESS = "10"  # questions go first
_logger = logging.getLogger(__name__)


class StatePreparation:
    """Called from time to time; asks the gateway what is known until that is clear, then reads what is missing."""

    def __init__(self, gateway: LocalServer, wanted: bool | None, log: Path) -> None:
        """Set up; nothing is asked yet.

        Args:
            gateway: Says in ``/ready`` what the reranker knows of the law.
            wanted: Whether to read the law where that was not done; None does where a person watches.
            log: File for what the reading says where nobody watches.
        """
        self._gateway, self._log = gateway, log
        self._watched = sys.stderr.isatty()
        self._wanted = self._watched if wanted is None else wanted
        self._ask_at: float | None = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        """Ask, begin to read, or see whether that has ended; returns soon."""
        if self._process is not None:
            self._see()
        elif self._ask_at is not None and time.monotonic() >= self._ask_at:
            self._ask_at = time.monotonic() + _ASK_EVERY_SECONDS
            self._ask()

    def stop(self) -> None:
        """End the reading, if one is under way; nothing of it is kept."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask(self) -> None:
        local = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with local.open(f"{self._gateway.url}/ready", timeout=2) as answer:
                ready: dict[str, Any] = json.load(answer)
        except (OSError, ValueError):
            return
        states, services = ready.get("passage_states"), ready.get("services") or {}
        if states is None:
            reranker = services.get("cross_encoder")
            if reranker is None or reranker["status"] == "ready":
                self._ask_at = None  # nothing is read beforehand for this retriever on this machine
        elif states["status"] != "being_looked_for":
            self._ask_at = None
            if states["status"] == "missing":
                self._missing(str(states["make"]), int(states["of"]))

    def _missing(self, make: str, passages: int) -> None:
        _logger.warning(
            "the reranker has not read the law on this machine yet (0 of %d passages); until it has, reranking takes"
            " several times as long",
            passages,
        )
        if not self._wanted:
            _logger.warning(
                "this command reads it once, which takes minutes; running services find the result without a restart:"
                "\n  %s",
                make,
            )
            return
        _logger.info("reading it now, once for this start and later ones; --no-precompute-states skips this")
        command = [sys.executable, *shlex.split(make)[1:]]
        if nice := shutil.which("nice"):
            command = [nice, "-n", _NICENESS, *command]
        with self._log.open("ab") as stream:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=None if self._watched else stream,
                start_new_session=True,
                preexec_fn=end_with_parent(os.getpid()),  # noqa: PLW1509 - two system calls, no lock
            )

    def _see(self) -> None:
        code = self._process.poll() if self._process is not None else None
        if code is None:
            return
        self._process = None
        if code:
            _logger.warning("the law could not be read (exit code %d); see %s", code, self._log)
        else:
            _logger.info("the law is read; the reranker uses it from now on")


@contextmanager
def preparing_states(gateway: LocalServer, wanted: bool | None, log: Path) -> Iterator[StatePreparation]:
    """A `StatePreparation` that ends with the block; arguments as it takes them."""
    reading = StatePreparation(gateway, wanted, log)
    try:
        yield reading
    finally:
        reading.stop()
