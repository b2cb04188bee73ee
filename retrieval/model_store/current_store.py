"""Asks for the ZenML store in use, in a process of its own: what searches and serves does not import ZenML.

Which module answers is not known here: whoever works with ZenML enters one into the installation's entry points (in
pyproject.toml), as plug-ins are, so that nothing in the library names a package above it.
"""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from importlib.metadata import entry_points

ANSWER = "store in use: "
"""What the answering command's line begins with."""

ENTRY_POINTS = "legal_retrieval.store_in_use"
"""Group of the modules that can be asked; one is run with ``python -m`` and prints a line that begins with `ANSWER`."""
_SECONDS = 120

_logger = logging.getLogger(__name__)


def refresh_stages() -> str:
    """Have stages noted that were set since the last command; without ZenML those noted last count.

    Returns:
        Id of the store in use; empty where ZenML is not installed or does not answer.
    """
    if importlib.util.find_spec("zenml") is None:
        return ""
    modules = [one.module for one in entry_points(group=ENTRY_POINTS)]
    if not modules:
        _logger.warning(
            "ZenML is installed, but this project's installation is older than its code and does not say who asks it;"
            " install it again with `make train` or `pip install -e .`; stages count as they were noted last"
        )
        return ""
    if importlib.util.find_spec(modules[0].partition(".")[0]) is None:  # a serving image has no pipelines
        return ""
    try:
        done = subprocess.run(
            [sys.executable, "-m", modules[0]], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        _logger.warning("ZenML does not answer; stages count as they were noted last")
        return ""
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        _logger.warning("ZenML could not be asked (%s); stages count as they were noted last", reason)
        return ""
    answers = [line.removeprefix(ANSWER) for line in done.stdout.splitlines() if line.startswith(ANSWER)]
    return answers[-1].strip() if answers else ""
