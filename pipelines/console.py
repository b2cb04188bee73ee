"""What a run shows on the terminal: which step runs, warnings, and no traceback for a mistake in the input."""

from __future__ import annotations

import logging
import os
import sys

from retrieval.errors import RetrievalError
from retrieval.s3.client import of_client

_SHOWN = ("Step ", "Using cached", "All steps", "Pipeline run has")
_CHATTY = ("alembic", "mlflow", "matplotlib", "httpx", "git", "bm25s")


def quiet() -> None:
    """Keep of ZenML's messages those that tell how far the run is; call it before ZenML is imported."""
    if not sys.stdout.isatty():
        os.environ.setdefault("ZENML_LOGGING_COLORS_DISABLED", "true")
    os.environ.setdefault("ZENML_ENABLE_RICH_TRACEBACK", "false")
    os.environ.setdefault("ZENML_ENABLE_REPO_INIT_WARNINGS", "false")
    import zenml.logger  # noqa: F401 - its handlers must be there before the filter is put on them

    for handler in logging.getLogger().handlers:
        handler.addFilter(_wanted)


def _wanted(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, RetrievalError | KeyboardInterrupt) or (error is not None and of_client(error)):
        return False
    package = record.name.partition(".")[0]
    if record.levelno < logging.WARNING and package == "zenml":
        return record.getMessage().startswith(_SHOWN)
    return record.levelno >= logging.ERROR or package not in _CHATTY
