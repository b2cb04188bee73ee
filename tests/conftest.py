"""For every test: a ZenML of its own, with the source root it would look for elsewhere, and a log that ends with it."""

import atexit
import logging
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

# Steps in a test's module open ZenML's store when the module is read. Each process makes one of its own: two that make
# the one of a new home folder at once get in each other's way, and a user's own is none of the tests' business.
os.environ["ZENML_CONFIG_PATH"] = tempfile.mkdtemp(prefix="zenml-of-tests-")
atexit.register(shutil.rmtree, os.environ["ZENML_CONFIG_PATH"], ignore_errors=True)

from zenml.utils.source_utils import set_custom_source_root  # noqa: E402 - reads that variable

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
