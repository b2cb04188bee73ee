"""One request on its way through a service: what was answered, how it is counted, and its line in the log."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders

from deployment.api.access_log import log_access
from deployment.api.request_ids import REQUEST_ID_HEADER
from deployment.api.strict_json import write_json
from deployment.errors import Refusal
from deployment.service_metrics import CLIENT_GONE
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.logs import REQUEST_ID
from monitoring.spans import Span
from monitoring.traces import current_trace_id

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
"""Set on every answer that does not set them itself."""


class Visit:
    """What becomes of one request.

    Attributes:
        status: Of the answer; 0 before it begins.
        started: Whether the answer has begun.
    """

    def __init__(self, scope: Scope, send: Send, metrics: EndpointMetrics, counted: bool, span: Span) -> None:
        """Begin.

        Args:
            scope: Of the request.
            send: Where answers go.
            metrics: Of the service.
            counted: Whether it is a client's; what machinery asks is neither counted nor logged.
            span: Of its trace.
        """
        self.status, self.started = 0, False
        self._scope, self._send, self._metrics, self._counted, self._span = scope, send, metrics, counted, span
        self._came = time.monotonic()
        self._refusal: Refusal | None = None
        scope.setdefault("state", {})

    async def send(self, message: Message) -> None:
        """Pass a message on, with the security headers and the request's id."""
        if message["type"] == "http.response.start":
            self.status, self.started = message["status"], True
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault(REQUEST_ID_HEADER, REQUEST_ID.get() or "")
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with an error, unless an answer has begun."""
        self._refusal = refusal
        if self._counted:
            self._metrics.failed(refusal.code)
        if self.started:
            return
        body = write_json(refusal.body())
        headers = {**refusal.headers, "content-type": "application/json", "content-length": str(len(body))}
        if refusal.status in {408, 413}:
            headers["connection"] = "close"  # what is left of the body is not read
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": refusal.status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})

    def end(self) -> None:
        """Enter the request into metrics, trace and log."""
        if not self._counted:
            return
        action, status = str(self._scope["state"].get("action", "")), self.status or CLIENT_GONE
        seconds = time.monotonic() - self._came
        self._metrics.answered(action, status, seconds, current_trace_id())
        route = getattr(self._scope.get("route"), "path", "")  # the template, never what stands in its place
        method, told = self._scope["method"], {"http.route": route, **self._told(action)}
        self._span.ends_as(f"{method} {route}".rstrip(), status, told)
        log_access(status, seconds, action, self._refusal, method, route)

    def _told(self, action: str) -> dict[str, str]:
        metrics = self._metrics
        return {"action": action, "track": metrics.track, "model_version": metrics.model_version}
