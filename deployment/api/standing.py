"""Where a service stands: what it serves once that is loaded, why it could not be, and what its machine has cost."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from deployment.bundle.format import BundleFacts
from deployment.errors import NotReady
from deployment.settings import ServingSettings
from monitoring.cost import Price, WorkerTime, price_of
from monitoring.cost.worker_time import REQUEST
from monitoring.endpoint_metrics import EndpointMetrics
from retrieval.errors import RetrievalError

_logger = logging.getLogger(__name__)
Load = Callable[[], "Engine"]
"""Opens the bundle and loads a model; blocks, so it runs in a thread."""


class Engine(Protocol):
    """What a service serves."""

    @property
    def facts(self) -> BundleFacts:
        """Versions of what is served."""

    async def warm_up(self) -> None:
        """Do what should not be done while the first client waits."""

    async def close(self) -> None:
        """Finish what waits."""


@runtime_checkable
class ReportsReadiness(Protocol):
    """An engine whose ``/ready`` depends on more than itself, or says more."""

    async def readiness(self) -> dict[str, Any]:
        """Fields of `Ready` besides.

        Raises:
            NotReady: If what a question needs is not there.
        """


@dataclass
class Standing:
    """Where a service stands.

    Attributes:
        name: Of the service.
        settings: Its settings.
        metrics: Its metrics.
        engine: What it serves; None until it is loaded.
        fault: Why it could not be loaded.
        started: Monotonic time of its start.
        worker: What its machine did since then.
        cold_start_seconds: From start to ready; 0 before.
    """

    name: str
    settings: ServingSettings
    metrics: EndpointMetrics
    engine: Engine | None = None
    fault: str = ""
    started: float = field(default_factory=time.monotonic)
    worker: WorkerTime = field(default_factory=WorkerTime)
    cold_start_seconds: float = 0.0

    @property
    def price(self) -> Price:
        """Of the machine.

        Raises:
            ConfigError: If the machine is not in the table.
        """
        return price_of(self.settings.machine, self.settings.machine_usd_per_hour)

    def rendered_metrics(self, accept: str) -> tuple[bytes, str]:
        """Metrics as they are now, in what the client takes, and their content type."""
        self.metrics.pass_time(self.worker.phases(self.metrics.passed[REQUEST]), self.price)
        return self.metrics.families.render(accept)

    def serving(self) -> Any:  # noqa: ANN401 - each service knows its own engine
        """The engine.

        Raises:
            NotReady: If it is not loaded yet.
        """
        if self.engine is None or not self.cold_start_seconds:
            raise NotReady(self.fault or f"{self.name} is loading its bundle; try again soon", retry_after_seconds=1)
        return self.engine


async def bring_up(standing: Standing, load: Load, on_fault: Callable[[], None]) -> None:
    """Load what a service serves, and warm it up; a fault is logged and kept in ``standing``.

    Args:
        standing: Of the service.
        load: Gives the engine.
        on_fault: Called where it cannot be loaded, so that the process can end.
    """
    try:
        engine = await asyncio.to_thread(load)
        standing.engine = engine
        await engine.warm_up()
    except Exception as error:
        standing.fault = f"{standing.name} cannot serve: {error}"
        if isinstance(error, RetrievalError):
            _logger.error("%s", standing.fault)  # noqa: TRY400 - the message says all, a trace nothing
        else:
            _logger.exception("%s", standing.fault)
        on_fault()
        return
    if not gc.isenabled():  # as the command left it; what is loaded now stays
        gc.freeze()
        gc.enable()
    standing.worker.ready()
    standing.cold_start_seconds = time.monotonic() - standing.started
    standing.metrics.started_cold()
    _logger.info("%s is ready after %.1f s", standing.name, standing.cold_start_seconds)
