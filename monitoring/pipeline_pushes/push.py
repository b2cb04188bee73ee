"""Pushes a run and never stands in its way: what cannot be pushed in time is dropped, counted, and told in one line."""

from __future__ import annotations

import logging
from pathlib import Path

from monitoring.pipeline_pushes.dropped import count_dropped, dropped_so_far
from monitoring.pipeline_pushes.pushgateway import SECONDS, Pushgateway
from monitoring.pipeline_pushes.run_metrics import RunMetrics
from retrieval.errors import RetrievalError

_logger = logging.getLogger(__name__)


def push_run(address: str, run: RunMetrics, counts: Path | None, seconds: float = SECONDS) -> bool:
    """Push what is told about a run.

    Args:
        address: Of the Pushgateway.
        run: That has ended.
        counts: Folder that counts dropped pushes; None where a run has no disk that outlives it.
        seconds: Longest wait.

    Returns:
        Whether it arrived; nothing is raised.
    """
    try:
        Pushgateway(address, seconds).push(run.pipeline, run.text(dropped_so_far(counts, run.pipeline)))
    except RetrievalError as error:
        count = count_dropped(counts, run.pipeline)
        counted = f", the {count}. of this pipeline" if counts is not None else ""
        _logger.warning("the run's metrics were not pushed%s: %s", counted, error)
        return False
    return True
