"""Readings of processor, memory, disk, network and, where there is one, graphics card while a step runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor

logger = logging.getLogger(__name__)

PREFIX = "system/"
"""MLflow shows metrics of this prefix on a page of their own."""


class SystemReadings:
    """Reads at the beginning, every so many seconds, and at the end."""

    def __init__(self, put: Callable[[str, float, int], None], every_seconds: float, since: float) -> None:
        """Start reading.

        Args:
            put: Takes name, value and the reading's number.
            every_seconds: Between readings.
            since: When the run began, seconds since 1970; readings are numbered by the second of the run, so that
                those of later steps follow those of earlier ones.
        """
        self._put, self._every, self._since = put, every_seconds, since
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read_until_stopped, name="system-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read once more and end."""
        self._stop.set()
        self._thread.join()

    def _read_until_stopped(self) -> None:
        monitors = _monitors()
        stopped = False
        while True:
            second = int(time.time() - self._since)
            for monitor in monitors:
                for name, value in _reading(monitor).items():
                    self._put(f"{PREFIX}{name}", value, second)
            if stopped:
                return
            stopped = self._stop.wait(self._every)


def _reading(monitor: BaseMetricsMonitor) -> dict[str, float]:
    try:
        monitor.collect_metrics()
        return {name: float(value) for name, value in monitor.aggregate_metrics().items()}
    except Exception:  # a sensor that cannot be read must not end a training
        logger.debug("system metrics: %s cannot be read", type(monitor).__name__, exc_info=True)
        return {}
    finally:
        monitor.clear_metrics()


def _monitors() -> list[BaseMetricsMonitor]:
    """MLflow's own sensors, so that names and units are those its pages know."""
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    monitors: list[BaseMetricsMonitor] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    with suppress(Exception):  # no NVIDIA card, or no package to read it with
        monitors.append(GPUMonitor())
    return monitors
