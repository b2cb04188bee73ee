"""One model behind RunPod's job loop: loaded once, asked by many jobs at once, replaced when it is no longer sound."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from deployment.api.access_log import log_access
from deployment.api.handlers import Asked
from deployment.errors import NotReady, Refusal, ServingError
from deployment.runpod.cold_start import ColdStart
from deployment.runpod.jobs import Output, envelope_of, job_error, job_input, job_output
from deployment.runpod.measures import WorkerMeasures
from deployment.runpod.openai_route import is_routed
from deployment.service_metrics import endpoint_metrics
from deployment.settings import ServingSettings, read_settings
from monitoring.cost import Price, price_of
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.logs import REQUEST_ID, set_up_logs
from monitoring.traces import job_span, start_tracing
from retrieval.errors import ConfigError, RetrievalError
from retrieval.extras import need
from retrieval.telemetry import telemetry_off

_TOLERANCE = 0.02  # of the self-test's numbers, which batching and bfloat16 move by less
_logger = logging.getLogger(__name__)
Engine = TypeVar("Engine")


@dataclass(frozen=True)
class Endpoint(Generic[Engine]):
    """What the workers of the two services differ in.

    Attributes:
        name: Of the service.
        actions: What it can be asked.
        load: Fetches, verifies and loads; blocks.
        act: Answers a payload.
        probe: Numbers that a sound model always gives, from a small question.
        begin: Begins what goes on beside jobs, once the model has answered.
        tell: What the first answer says besides.
    """

    name: str
    actions: tuple[str, ...]
    load: Callable[[ServingSettings, EndpointMetrics, Callable[[str], None]], Engine]
    act: Callable[[Engine, Mapping[str, Any], Asked], Awaitable[dict[str, Any]]]
    probe: Callable[[Engine], Awaitable[NDArray[np.float32]]]
    begin: Callable[[Engine], None] = lambda _: None
    tell: Callable[[Engine], Output] = lambda _: {}


@dataclass(frozen=True)
class _Loaded(Generic[Engine]):
    engine: Engine
    probed: NDArray[np.float32]


class Worker(Generic[Engine]):
    """Answers jobs; `fit` is RunPod's fitness check and `handle` its handler.

    Attributes:
        metrics: Of this process; queue workers cannot be scraped, so answers carry `WorkerMeasures`, which the gateway
            counts.
    """

    def __init__(self, endpoint: Endpoint[Engine], settings: ServingSettings) -> None:
        """Set up; nothing is loaded yet.

        Raises:
            ConfigError: If the machine has no price.
        """
        self._endpoint = endpoint
        # A job is not handed back to RunPod's queue, and no more than settings.jobs wait here: none is refused.
        self._settings = settings.model_copy(update={"queue_tokens": sys.maxsize})
        self._price: Price = price_of(settings.machine, settings.machine_usd_per_hour)
        self.metrics = endpoint_metrics(endpoint.name, endpoint.actions, settings)
        self._cold_start, self._told = ColdStart(), False
        self._measures = WorkerMeasures(self.metrics, self._price, self._cold_start)
        self._loading = asyncio.Lock()
        self._loaded: _Loaded[Engine] | None = None

    @property
    def engine(self) -> Engine | None:
        """The model, once it is loaded."""
        return self._loaded.engine if self._loaded else None

    async def fit(self) -> None:
        """Load the model and have it answer.

        Raises:
            RetrievalError: If the model cannot be loaded or does not answer as it should; RunPod then drops the worker.
        """
        loaded = await self._ready()
        if not await self._sound(loaded):
            raise ServingError(f"{self._endpoint.name}: the model answers its own test wrongly; start another worker")

    async def handle(self, job: dict[str, Any]) -> Output:
        """Answer a job; every failure is an answer too, with a code and never a traceback."""
        started, envelope, refusal = time.monotonic(), envelope_of(job), None
        REQUEST_ID.set(envelope["request_id"])
        with job_span(envelope) as span:
            try:
                output = await self._answer(job)
            except Refusal as error:
                refusal, output = error, job_error(error, await self._to_be_replaced(error))
            action, status = self._action(job), HTTPStatus.OK if refusal is None else refusal.status
            told = {"track": self.metrics.track, "model_version": self.metrics.model_version}
            span.ends_as(f"job {action}".rstrip(), status, {"action": action, **told})
            log_access(status, time.monotonic() - started, action, refusal)
        return output

    async def _answer(self, job: dict[str, Any]) -> Output:
        try:
            loaded = await self._ready()
        except RetrievalError as error:
            _logger.error("%s", error)  # noqa: TRY400 - the message says all, a trace nothing
            raise NotReady(str(error), retry_after_seconds=1) from error
        try:
            given = job_input(job)
            output = job_output(await self._endpoint.act(loaded.engine, given, Asked(self._price)))
        except Refusal:
            raise
        except Exception as error:
            _logger.exception("a job failed")
            raise Refusal("something went wrong here; it was logged, so ask again or tell the operator") from error
        if is_routed(given):
            return output
        return output | self._first(loaded.engine) | {"measures": self._measures.since_last()}

    async def _to_be_replaced(self, refusal: Refusal) -> bool:
        """Whether the platform should start another worker in the place of this one."""
        if self._loaded is None:
            return True
        return refusal.status == Refusal.status and not await self._sound(self._loaded)

    def _action(self, job: object) -> str:
        """What was asked for, of the few things that can be."""
        given = job.get("input") if isinstance(job, dict) else None
        action = given.get("action") if isinstance(given, dict) else None
        return action if isinstance(action, str) and action in self._endpoint.actions else ""

    async def _ready(self) -> _Loaded[Engine]:
        async with self._loading:
            if self._loaded is None:
                load, lap = self._endpoint.load, self._cold_start.lap
                self._cold_start.resume()
                engine = await asyncio.to_thread(load, self._settings, self.metrics, lap)
                self._loaded = _Loaded(engine, await self._endpoint.probe(engine))
                lap("warm_up")
                self._endpoint.begin(engine)
                self._measures.count_cold_start()
                _logger.info("cold start: %s", self._cold_start.report())
            return self._loaded

    async def _sound(self, loaded: _Loaded[Engine]) -> bool:
        """Whether the model still gives the numbers it gave when it was loaded."""
        try:
            now = await self._endpoint.probe(loaded.engine)
        except Exception:
            _logger.exception("the self-test failed")
            return False
        return bool(np.allclose(now, loaded.probed, rtol=0.0, atol=_TOLERANCE))

    def _first(self, engine: Engine) -> Output:
        """What the first answer tells besides."""
        if self._told:
            return {}
        self._told = True
        return {"cold_start": self._cold_start.report(), **self._endpoint.tell(engine)}


def run_worker(endpoint: Endpoint[Engine]) -> int:
    """Serve RunPod's jobs with the settings of the environment until the platform ends it.

    Returns:
        0 after an orderly end, 2 for a mistake in the settings; the SDK itself exits with 1 where a check fails.
    """
    telemetry_off()
    os.environ.setdefault("RUNPOD_LOG_LEVEL", "INFO")  # its default writes every output into the log
    try:
        need("runpod", f"the {endpoint.name} worker")
        import runpod

        settings = read_settings()
        lines, worker = set_up_logs(settings.log_format), Worker(endpoint, settings)
        lines.source = worker.metrics
        stop_tracing = start_tracing(endpoint.name, settings.otlp_endpoint, settings.trace_ratio)
    except ConfigError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    runpod.serverless.register_fitness_check(worker.fit)
    try:
        runpod.serverless.start({"handler": worker.handle, "concurrency_modifier": lambda _: settings.jobs})
    finally:
        stop_tracing()
    return 0
