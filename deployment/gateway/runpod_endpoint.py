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
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic_core import from_json

from deployment.api.request_ids import ENVELOPE
from deployment.api.strict_json import write_json
from deployment.errors import STATUS_OF, NotReady, Overloaded, UpstreamFault
from deployment.gateway.worker_measures import WorkerMeasures

SCHEME = "runpod+"
_POLL_SECONDS = 0.25
_CLOSE_SECONDS = 5.0
_LONGEST_SECONDS = 300.0
_WAITS = "IN_QUEUE"
_RUNS = frozenset({_WAITS, "IN_PROGRESS"})
_TIMEOUTS = httpx.Timeout(120.0, connect=2.0)  # RunPod answers /runsync after 90 s at the latest
_CODES = {Overloaded.status: Overloaded.code, NotReady.status: NotReady.code}
_HERE = frozenset({"127.0.0.1", "localhost"})


@dataclass
class _Job:
    """A job on its way.

    Attributes:
        told: As RunPod described it last.
        left: Whether nobody waits for it any more.
    """

    told: Mapping[str, Any] = field(default_factory=dict)
    left: bool = False


class RunPodTransport(httpx.AsyncBaseTransport):
    """Sends ``/infer`` as a job and answers with its output; asks ``/health`` for ``/ready``.

    Whoever asks waits no longer than it wants to. Its job is then cancelled if it still waits for a worker; one that is
    computed already is waited for in the background, because its answer carries measures that no other answer has.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, measures: WorkerMeasures, index: str = "") -> None:
        """Wrap a transport.

        Args:
            inner: Talks to RunPod.
            measures: Counts what workers tell.
            index: Version of the index that is expected until an answer says which it is.
        """
        self._inner, self._measures, self._index = inner, measures, index
        self._late: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the service would.

        Raises:
            httpx.ReadTimeout: If the job does not end in the time that the request has.
        """
        if request.url.path.endswith("/ready"):
            return await self._ready(request)
        payload = json.loads(await request.aread())
        started, action = time.monotonic(), str(payload.get("action", ""))
        envelope = {key: request.headers[name] for name, key in ENVELOPE.items() if name in request.headers}
        job = _Job()
        running = asyncio.create_task(self._run(request, {"input": payload | envelope}, job), context=Context())
        patience = request.extensions.get("timeout", {}).get("read") or _LONGEST_SECONDS
        try:
            await asyncio.wait({running}, timeout=patience)
        except asyncio.CancelledError:
            self._measures.left(action, time.monotonic() - started)
            self._leave(running, job)
            raise
        if not running.done():
            self._leave(running, job)
            self._measures.failed(action, UpstreamFault.code, time.monotonic() - started)
            raise httpx.ReadTimeout(f"the job has not ended in {patience:g} s", request=request)
        try:
            response = running.result()
        except httpx.HTTPError:
            self._measures.failed(action, UpstreamFault.code, time.monotonic() - started)
            raise
        if response is not None:
            code = _CODES.get(response.status_code, UpstreamFault.code)
            self._measures.failed(action, code, time.monotonic() - started)
            return response
        return self._answer(job.told, action, time.monotonic() - started)

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
        """Wait a moment for jobs that were left, and close the inner transport."""
        if self._late:
            await asyncio.wait(self._late, timeout=_CLOSE_SECONDS)
        for task in self._late:
            task.cancel()
        await self._inner.aclose()

    async def _ready(self, request: httpx.Request) -> httpx.Response:
        """Whether the endpoint is there; one without a worker is, for a job starts one."""
        response = await self._send(request, "GET", "health")
        local = request.url.host in _HERE and response.status_code == httpx.codes.NOT_FOUND  # the SDK's server has none
        if response.status_code == httpx.codes.OK or local:
            return httpx.Response(httpx.codes.OK, content=write_json({"versions": {"index": self._index}}))
        return response

    async def _run(self, request: httpx.Request, body: object, job: _Job) -> httpx.Response | None:
        """Have a job done; gives RunPod's own answer where it is a refusal, and nothing once the job has ended."""
        response = await self._send(request, "POST", "runsync", body)
        if response.status_code != httpx.codes.OK:
            return response
        job.told = _read(response)
        ends = time.monotonic() + _LONGEST_SECONDS
        while job.told.get("status") in _RUNS and time.monotonic() < ends:
            if job.left and job.told["status"] == _WAITS:
                await self._send(request, "POST", f"cancel/{job.told.get('id')}", {})
                return None
            await asyncio.sleep(_POLL_SECONDS)
            told = _read(await self._send(request, "GET", f"status/{job.told.get('id')}"))
            job.told = told if "status" in told else job.told  # RunPod's refusals end no job
        return None

    def _leave(self, running: asyncio.Task[httpx.Response | None], job: _Job) -> None:
        """Nobody waits for a job any more; what its worker tells is counted when it ends."""
        job.left = True
        task = asyncio.create_task(self._hear(running, job), context=Context())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _hear(self, running: asyncio.Task[httpx.Response | None], job: _Job) -> None:
        with suppress(httpx.HTTPError):
            await running
        if isinstance(output := job.told.get("output"), Mapping):
            self._measures.count_late(output)

    async def _send(self, request: httpx.Request, method: str, name: str, body: object = None) -> httpx.Response:
        base = request.url.path.rpartition("/")[0]
        headers = {name: request.headers[name] for name in ("authorization", "traceparent") if name in request.headers}
        asked = httpx.Request(
            method,
            request.url.copy_with(path=f"{base}/{name}"),
            headers=headers | {"content-type": "application/json"},
            content=None if body is None else write_json(body),
            extensions={"timeout": _TIMEOUTS.as_dict()},
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
