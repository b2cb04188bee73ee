"""The MLflow side of one running step: opened by a hook before the step's code, closed by another after it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from zenml import get_step_context, log_metadata
from zenml.metadata.metadata_types import MetadataType, Uri
from zenml.models import PipelineRunResponse, StepRunResponse

from tracking.connection import Tracker, cause, connect, failures
from tracking.runs import RunFacts, git_commit, open_run
from tracking.spool import Spool
from tracking.system_metrics import SystemReadings

logger = logging.getLogger(__name__)

SETTINGS = "mlflow"
"""Key of the step's ``extra`` that holds experiment, parameters and seconds between system readings."""
ROOT = Path(__file__).resolve().parents[1]
_open: dict[UUID, Session] = {}


class Session:
    """What a tracked step writes to.

    Attributes:
        spool: Takes every record.
        run_id: Of the MLflow run; empty where MLflow was away when the step began.
    """

    def __init__(self, tracker: Tracker, run: PipelineRunResponse, step: StepRunResponse) -> None:
        settings: Mapping[str, Any] = step.config.extra.get(SETTINGS, {})
        facts = run_facts(run, str(settings.get("experiment", run.name)))
        self.run_id = self._begin(tracker, facts, step)
        self.spool = Spool(tracker, facts, str(step.id))
        self.spool.put(*({"param": key, "value": text} for key, text in settings.get("parameters", {}).items()))
        every = float(settings.get("system_metrics_seconds", 0))
        began = (run.start_time or run.created).timestamp()
        self._readings = SystemReadings(self.metric, every, began) if every else None

    def metric(self, name: str, value: float, step: int) -> None:
        """Record a value; MLflow allows no ``@`` in a name."""
        record = {"metric": name.replace("@", "_at_"), "value": value, "step": step, "at": int(time.time() * 1000)}
        self.spool.put(record)

    def close(self, failed: bool) -> None:
        """Stop reading and send what is left; what could not be sent is listed."""
        if self._readings is not None:
            self._readings.stop()
        self.spool.put({"status": "FAILED" if failed else "FINISHED"})
        left = self.spool.close()
        if left:
            logger.warning("MLflow is away: %s kept in %s; the next command sends them", left, self.spool.path)

    @staticmethod
    def _begin(tracker: Tracker, facts: RunFacts, step: StepRunResponse) -> str:
        try:
            run_id, experiment = open_run(tracker, facts)
        except failures() as error:
            logger.warning("MLflow at %s: %s; what is measured is kept", tracker.uri, cause(error))
            return ""
        known: dict[str, MetadataType] = {"mlflow_run_id": run_id, "mlflow_experiment_id": experiment}
        if tracker.is_server:
            known["experiment_tracker_url"] = Uri(f"{tracker.uri}/#/experiments/{experiment}/runs/{run_id}")
        log_metadata(metadata=known, step_id=step.id)
        return run_id


def run_facts(run: PipelineRunResponse, experiment: str) -> RunFacts:
    """What the MLflow run of a ZenML run is called and tagged with."""
    tags = {
        "zenml.run_name": run.name,
        "zenml.pipeline": run.pipeline.name if run.pipeline else "",
        "zenml.stack": run.stack.name if run.stack else "",
        "mlflow.source.name": "run.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": git_commit(ROOT),
    }
    return RunFacts(str(run.id), run.name, experiment, {name: value for name, value in tags.items() if value})


def open_session() -> None:
    """Hook at the start of a tracked step; nothing is opened where the stack has no MLflow."""
    tracker = connect()
    if tracker is not None:
        context = get_step_context()
        _open[context.step_run.id] = Session(tracker, context.pipeline_run, context.step_run)


def close_session(error: BaseException | None = None) -> None:
    """Hook at the end of a tracked step.

    Args:
        error: That ended the step; None where it went well.
    """
    session = _open.pop(get_step_context().step_run.id, None)
    if session is not None:
        session.close(failed=error is not None)


def current() -> Session | None:
    """The session of the step that runs here; None outside of a tracked step."""
    try:
        return _open.get(get_step_context().step_run.id)
    except RuntimeError:  # no step runs
        return None
