"""For every test: the source root that ZenML would look for at a main module, and logs that end with the test."""

import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from zenml.utils.source_utils import set_custom_source_root

set_custom_source_root(str(Path(__file__).resolve().parents[1]))


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A service's command sets up the log of its whole process; no test after one that calls it may write there."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = [one for one in root.handlers if one in handlers]
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)
