"""From the stack's experiment tracker to a client of its MLflow, and whether that answers."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from zenml.client import Client

from tracking.errors import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from zenml.integrations.mlflow.experiment_trackers import MLFlowExperimentTracker

FLAVOR = "mlflow"
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # its own 7 take 4 minutes to tell that nobody listens
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "900",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_CAUSES = ("Connection refused", "timed out", "Name or service not known", "database is locked", "No route to host")


@dataclass(frozen=True)
class Tracker:
    """An MLflow that a stack names.

    Attributes:
        name: Of the stack component.
        uri: Where it is: an address or a database.
        artifact_root: Where new experiments keep files; None where the server decides.
    """

    name: str
    uri: str
    artifact_root: str | None = None

    @property
    def client(self) -> MlflowClient:
        """A client of its runs and of its registry."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @property
    def is_server(self) -> bool:
        """Whether it has an address that people can open."""
        return self.uri.startswith(("http://", "https://"))


def connect() -> Tracker | None:
    """The active stack's MLflow, its credentials given to MLflow's client; None where the stack has none.

    Nothing is sent yet. MLflow is imported only here and where it is used, because that takes seconds.
    """
    component = Client().active_stack.experiment_tracker
    if component is None or component.flavor != FLAVOR:
        return None
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    mlflow = cast("MLFlowExperimentTracker", component)
    mlflow.configure_mlflow()
    local = None if mlflow.config.tracking_uri else mlflow.local_path
    return Tracker(component.name, mlflow.get_tracking_uri(), f"file:{local}" if local else None)


def require() -> None:
    """See that the stack's MLflow answers, before anything is computed or moved.

    Raises:
        TrackingError: If it does not answer or refuses.
    """
    tracker = connect()
    if tracker is None:
        return
    try:
        tracker.client.search_experiments(max_results=1)
    except failures() as error:
        raise away(tracker, error) from error


def away(tracker: Tracker, error: Exception) -> TrackingError:
    """What a person reads when MLflow does not answer."""
    start = "start it there" if tracker.is_server else "end the process that uses it"
    return TrackingError(
        f"MLflow at {tracker.uri} (experiment tracker {tracker.name}) does not answer: {cause(error)};"
        f" {start}, or take another stack with --stack NAME"
    )


def failures() -> tuple[type[Exception], ...]:
    """What MLflow's client raises when its server is away or refuses; `requests` raises OSErrors."""
    from mlflow.exceptions import MlflowException

    return (MlflowException, OSError)


def refused(error: Exception) -> bool:
    """Whether MLflow answered and would answer the same again, so that trying later is of no use."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_ALREADY_EXISTS, ErrorCode

    codes = {ErrorCode.Name(code) for code in (INVALID_PARAMETER_VALUE, RESOURCE_ALREADY_EXISTS)}
    return isinstance(error, MlflowException) and error.error_code in codes


def cause(error: Exception) -> str:
    """The few words of an error that tell what is wrong."""
    text = str(error)
    known = next((words for words in _CAUSES if words.lower() in text.lower()), None)
    return known or re.sub(r"\s+", " ", text)[:300]
