"""What stands before every service: keys, rate limits, body limits, patience, security headers, clients that leave."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from deployment.api.request_ids import request_id_of
from deployment.api.visit import Message, Scope, Send, Visit
from deployment.errors import BodyTooLarge, BodyTooSlow, RateLimited, Refusal, Unauthorized
from deployment.service_metrics import CLIENT_GONE
from deployment.settings import ServingSettings
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.logs import REQUEST_ID
from monitoring.traces import NO_SPAN, server_span

_logger = logging.getLogger(__name__)
Receive = Callable[[], Awaitable[Message]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = frozenset({"/health", "/ready", "/metrics", "/openapi.json"})
"""Asked by machinery, without a key; not counted as requests."""
_MOST_CALLERS = 10_000


class RateLimit:
    """A bucket of tokens for each caller, filled again at an even pace; the monotonic clock cannot be set back."""

    def __init__(self, requests_per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Set up; 0 lets everyone pass."""
        self._per_minute, self._clock = requests_per_minute, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count a request.

        Raises:
            RateLimited: If the caller has used up what it may.
        """
        if not self._per_minute:
            return
        now, size, pace = self._clock(), float(self._per_minute), self._per_minute / 60.0
        left, then = self._buckets.pop(caller, (size, now))
        left = min(size, left + (now - then) * pace)
        self._buckets[caller] = (left - 1.0 if left >= 1.0 else left, now)
        if len(self._buckets) > _MOST_CALLERS:
            self._buckets.popitem(last=False)
        if left < 1.0:
            raise RateLimited(
                f"more than {self._per_minute} requests a minute; wait as long as Retry-After says",
                retry_after_seconds=(1.0 - left) / pace,
            )


class Keys:
    """API keys, compared in constant time; only their hashes are held."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Set up; without keys everyone passes."""
        self._hashes = [hashlib.sha256(key.encode()).digest() for key in keys]

    def caller(self, authorization: str, address: str) -> str:
        """Who asks: the number of the key, or without keys the address.

        Args:
            authorization: Of the request's header ``Authorization`` (``Bearer KEY``) or ``X-API-Key``.
            address: Of the client.

        Raises:
            Unauthorized: If the key is missing or not known.
        """
        if not self._hashes:
            return address
        given = hashlib.sha256(authorization.encode("utf-8", "surrogateescape")).digest()
        same = [hmac.compare_digest(given, known) for known in self._hashes]  # all of them, whichever fits
        if True not in same:
            raise Unauthorized("no API key, or not a known one; send it as `Authorization: Bearer KEY`")
        return f"key {same.index(True)}"


class ServiceMiddleware:
    """ASGI middleware around a service."""

    def __init__(
        self,
        app: Application,
        settings: ServingSettings,
        metrics: EndpointMetrics,
        open_paths: frozenset[str] = OPEN_PATHS,
    ) -> None:
        """Wrap an application; ``open_paths`` need no key."""
        self._open_paths = open_paths
        self._app, self._settings, self._metrics = app, settings, metrics
        self._keys, self._limit = Keys(settings.keys()), RateLimit(settings.requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counted = scope["path"] not in self._open_paths
        REQUEST_ID.set(request_id_of(scope["headers"]))
        with server_span(scope["headers"]) if counted else NO_SPAN as span:
            await self._answer(Visit(scope, send, self._metrics, counted, span), scope, receive)

    async def _answer(self, visit: Visit, scope: Scope, receive: Receive) -> None:
        try:
            if scope["path"] not in self._open_paths and scope["method"] != "OPTIONS":
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
                key = headers.get("authorization", "")
                given = key[7:].strip() if key[:7].lower() == "bearer " else headers.get("x-api-key", "")
                self._limit.take(self._keys.caller(given, (scope.get("client") or ("?",))[0]))
            body = await self._body(scope, receive)
            await self._inside(visit, scope, receive, body)
        except Refusal as refusal:
            await visit.refuse(refusal)
        except Exception:
            _logger.exception("a request failed at %s", getattr(scope.get("route"), "path", "no route"))
            await visit.refuse(Refusal("the service failed on this request; it was logged"))
        finally:
            visit.end()

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, within its limits of size and time."""
        most = self._settings.max_body_bytes
        too_large = BodyTooLarge(
            f"the body has more than {most:,} bytes, the limit of RETRIEVER_MAX_BODY_BYTES; send fewer texts at once"
        )
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if length.isdigit() and int(length) > most:
            raise too_large
        pieces: list[bytes] = []
        size, ends = 0, time.monotonic() + self._settings.body_timeout_seconds
        while True:
            try:
                message = await asyncio.wait_for(receive(), max(0.0, ends - time.monotonic()))
            except TimeoutError as error:
                raise BodyTooSlow(
                    f"the body did not arrive within {self._settings.body_timeout_seconds:g} s; send it faster"
                ) from error
            if message["type"] == "http.disconnect":
                raise BodyTooSlow("the client left before its body was there")
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > most:
                raise too_large
            if not message.get("more_body", False):
                return b"".join(pieces)

    async def _inside(self, visit: Visit, scope: Scope, receive: Receive, body: bytes) -> None:
        """Run the application, and stop it if the client leaves."""
        left = asyncio.Event()
        first = True

        async def hand_over() -> Message:
            nonlocal first
            if first:
                first = False
                return {"type": "http.request", "body": body, "more_body": False}
            await left.wait()
            return {"type": "http.disconnect"}

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            left.set()

        work = asyncio.ensure_future(self._app(scope, hand_over, visit.send))
        watcher = asyncio.ensure_future(watch())
        try:
            await asyncio.wait({work, watcher}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not visit.started:
                work.cancel()
                visit.status = CLIENT_GONE
                with suppress(asyncio.CancelledError):
                    await work
                return
            await work
        finally:
            watcher.cancel()
            work.cancel()
