"""RunPod's job API as a transport of httpx: the gateway asks an endpoint's workers as it asks a service.

``RETRIEVER_BI_ENCODER_URL=runpod+https://api.runpod.ai/v2/ENDPOINT``, and RunPod's key as ``RETRIEVER_SERVICE_KEY``.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from contextvars import Context
from typing import Any

import httpx
from pydantic_core import from_json

from deployment.api.request_ids import ENVELOPE
from deployment.api.strict_json import write_json
from deployment.errors import STATUS_OF, NotReady, Overloaded, UpstreamFault
from deployment.gateway.worker_measures import WorkerMeasures

SCHEME = "runpod+"
_POLL_SECONDS = 0.25
_CANCEL_SECONDS = 5.0
_RUNS = frozenset({"IN_QUEUE", "IN_PROGRESS"})
_CODES = {Overloaded.status: Overloaded.code, NotReady.status: NotReady.code}
_HERE = frozenset({"127.0.0.1", "localhost"})


class RunPodTransport(httpx.AsyncBaseTransport):
    """Sends ``/infer`` as a job and answers with its output; asks ``/health`` for ``/ready``."""

    def __init__(self, inner: httpx.AsyncBaseTransport, measures: WorkerMeasures, index: str = "") -> None:
        """Wrap a transport.

        Args:
            inner: Talks to RunPod.
            measures: Counts what workers tell.
            index: Version of the index that is expected until an answer says which it is.
        """
        self._inner, self._measures, self._index = inner, measures, index
        self._cancelling: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the service would."""
        if request.url.path.endswith("/ready"):
            return await self._ready(request)
        payload = json.loads(await request.aread())
        started, action = time.monotonic(), str(payload.get("action", ""))
        envelope = {key: request.headers[name] for name, key in ENVELOPE.items() if name in request.headers}
        try:
            response = await self._send(request, "POST", "runsync", {"input": payload | envelope})
            if response.status_code != httpx.codes.OK:
                code = _CODES.get(response.status_code, UpstreamFault.code)
                self._measures.failed(action, code, time.monotonic() - started)
                return response
            job = await self._ended(request, _read(response), started)
        except httpx.HTTPError:
            self._measures.failed(action, UpstreamFault.code, time.monotonic() - started)
            raise
        except asyncio.CancelledError:
            self._measures.left(action, time.monotonic() - started)
            raise
        return self._answer(job, action, time.monotonic() - started)

    def _answer(self, job: Mapping[str, Any], action: str, seconds: float) -> httpx.Response:
        """What the service would have answered, counted."""
        if job.get("status") == "COMPLETED" and isinstance(output := job.get("output"), Mapping):
            self._index = str(output.get("index_version", self._index))
            self._measures.count(action, seconds, output)
            return httpx.Response(httpx.codes.OK, content=write_json(output))
        refused = _refused(job)
        self._measures.failed(action, _code(refused), seconds)
        return refused

    async def aclose(self) -> None:
        """Let cancelled jobs be told, and close the inner transport."""
        if self._cancelling:
            await asyncio.wait(self._cancelling, timeout=_CANCEL_SECONDS)
        await self._inner.aclose()

    async def _ready(self, request: httpx.Request) -> httpx.Response:
        """Whether the endpoint is there; one without a worker is, for a job starts one."""
        response = await self._send(request, "GET", "health")
        local = request.url.host in _HERE and response.status_code == httpx.codes.NOT_FOUND  # the SDK's server has none
        if response.status_code == httpx.codes.OK or local:
            return httpx.Response(httpx.codes.OK, content=write_json({"versions": {"index": self._index}}))
        return response

    async def _ended(self, request: httpx.Request, job: Mapping[str, Any], started: float) -> Mapping[str, Any]:
        """The job when it has ended; it is cancelled where nobody waits for it any more.

        Raises:
            httpx.ReadTimeout: If it does not end in time.
        """
        patience = request.extensions.get("timeout", {}).get("read") or 60.0
        try:
            async with asyncio.timeout(max(0.0, patience - (time.monotonic() - started))):
                while job.get("status") in _RUNS:
                    await asyncio.sleep(_POLL_SECONDS)
                    job = _read(await self._send(request, "GET", f"status/{job.get('id')}"))
        except TimeoutError as error:
            self._cancel(request, job)
            raise httpx.ReadTimeout(f"the job has not ended in {patience:g} s", request=request) from error
        except asyncio.CancelledError:
            self._cancel(request, job)
            raise
        return job

    def _cancel(self, request: httpx.Request, job: Mapping[str, Any]) -> None:
        """Tell RunPod, which whoever waits for an answer does not wait for."""
        task = asyncio.create_task(self._told(request, job), context=Context())
        self._cancelling.add(task)
        task.add_done_callback(self._cancelling.discard)

    async def _told(self, request: httpx.Request, job: Mapping[str, Any]) -> None:
        with suppress(httpx.HTTPError):
            await self._send(request, "POST", f"cancel/{job.get('id')}", {})

    async def _send(self, request: httpx.Request, method: str, name: str, body: object = None) -> httpx.Response:
        base = request.url.path.rpartition("/")[0]
        headers = {name: request.headers[name] for name in ("authorization", "traceparent") if name in request.headers}
        asked = httpx.Request(
            method,
            request.url.copy_with(path=f"{base}/{name}"),
            headers=headers | {"content-type": "application/json"},
            content=None if body is None else write_json(body),
            extensions=request.extensions,
        )
        response = await self._inner.handle_async_request(asked)
        response.request = asked
        await response.aread()
        return response


def _read(response: httpx.Response) -> Mapping[str, Any]:
    """A job as RunPod describes it; empty where the answer is something else."""
    try:
        job = from_json(response.content)
    except ValueError:
        return {}
    return job if isinstance(job, dict) else {}


def _refused(job: Mapping[str, Any]) -> httpx.Response:
    """The answer of a service that fails as the job did."""
    told: object = job.get("error")
    with suppress(ValueError, TypeError):
        told = from_json(str(told))
    code = str(told.get("code", "")) if isinstance(told, dict) else ""
    status = STATUS_OF.get(code, UpstreamFault.status)
    body = {"error": {"code": code or UpstreamFault.code, "message": f"job {job.get('status', 'unknown')}"}}
    waits = told.get("retry_after_seconds") if isinstance(told, dict) else None
    headers = {"retry-after": str(waits)} if isinstance(waits, int | float) else {}
    return httpx.Response(status, headers=headers, content=write_json(body))


def _code(response: httpx.Response) -> str:
    return str(from_json(response.content)["error"]["code"])
