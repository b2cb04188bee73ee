"""Runs a service in uvicorn: bounded patience, SIGTERM that answers what is in flight, honest exits."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from deployment.api.strict_json import write_json
from deployment.errors import Malformed
from deployment.settings import ServingSettings
from monitoring.logs import set_up_logs
from monitoring.traces import start_tracing
from retrieval.errors import ConfigError, RetrievalError
from retrieval.telemetry import telemetry_off

MakeApp = Callable[[ServingSettings, Callable[[], None]], FastAPI]
"""Makes a service from its settings and from what to call when it cannot be loaded."""
_KEEP_ALIVE_SECONDS = 75  # longer than clients and proxies keep idle connections
_BACKLOG = 1024


def run_service(make_app: MakeApp, settings: ServingSettings, port: int) -> int:
    """Serve until a signal comes.

    Args:
        make_app: The service.
        settings: Its settings.
        port: Where it answers, unless the settings say otherwise.

    Returns:
        0 after a signal, 1 if the service could not be loaded or the port is taken, 2 for a mistake in the settings.
    """
    telemetry_off()
    lines, failed = set_up_logs(settings.log_format), asyncio.Event()
    try:
        app = make_app(settings, failed.set)
        lines.source = app.state.standing.metrics
        stop_tracing = start_tracing(app.state.standing.name, settings.otlp_endpoint, settings.trace_ratio)
    except RetrievalError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    server = _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port or port,
            http=_impatient(settings.head_timeout_seconds),
            ws="none",
            lifespan="on",
            log_config=None,  # its lines go where all others go
            log_level="warning",
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(settings.stop_seconds)),
        ),
        failed,
    )
    try:
        server.run()
    except SystemExit:  # uvicorn's way to say that the port is taken; it has logged it
        return 1
    finally:
        stop_tracing()
    return 1 if failed.is_set() or not server.started else 0


class _Server(uvicorn.Server):
    """Ends on a signal with code 0, and when its service could not be loaded."""

    def __init__(self, config: uvicorn.Config, failed: asyncio.Event) -> None:
        super().__init__(config)
        self._failed = failed

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._failed.is_set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn's own, but a signal that was answered is not raised again: the process ends by itself, with 0."""
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._end) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.should_exit:  # asked twice
            os._exit(1)
        self.handle_exit(number, frame)


def _impatient(head_seconds: float) -> type[asyncio.Protocol]:
    """Uvicorn's protocol, which closes a connection whose request line and headers do not arrive in time."""

    class ImpatientProtocol(HttpToolsProtocol):
        _waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - asyncio's transport
            super().connection_made(transport)
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._waiting is None and (self.cycle is None or self.cycle.response_complete):
                self._wait()  # a further request on this connection
            super().data_received(data)

        def on_headers_complete(self) -> None:
            self._stop_waiting()
            super().on_headers_complete()

        def send_400_response(self, msg: str) -> None:
            body = write_json(Malformed(f"this is not HTTP: {msg}").body())
            head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            self.transport.write(f"{head}connection: close\r\n\r\n".encode() + body)
            self.transport.close()

        def _wait(self) -> None:
            self._waiting = self.loop.call_later(head_seconds, self._give_up)

        def _stop_waiting(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

        def _give_up(self) -> None:
            self._waiting = None
            if not self.transport.is_closing():
                self.transport.close()

    return ImpatientProtocol
