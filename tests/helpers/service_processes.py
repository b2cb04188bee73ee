"""Services as real processes on free ports, for tests that talk to them as clients do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from retrieval.processes.servers import LocalServer, free_port, running

START_SECONDS = 120.0


@contextmanager
def service(
    module: str, bundle: Path, log: Path, variables: Mapping[str, str] | None = None, ready: bool = True
) -> Iterator[LocalServer]:
    """Run ``python -m deployment.MODULE`` on a bundle until the block ends.

    Args:
        module: Such as ``bi_encoder_service``.
        bundle: Its bundle folder.
        log: File for what it says.
        variables: Further settings.
        ready: Wait until it is ready, not only until it starts.
    """
    port = free_port()
    environment = {"RETRIEVER_BUNDLE": str(bundle), "RETRIEVER_PORT": str(port), "RETRIEVER_THREADS": "2"}
    command = [sys.executable, "-m", f"deployment.{module}"]
    with running(module, command, port, {**environment, **(variables or {})}, log) as server:
        if ready:
            server.wait_until_ready("/ready", START_SECONDS)
        yield server
