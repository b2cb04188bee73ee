"""Asks for the ZenML store in use, in a process of its own: what searches and serves does not import ZenML."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys

ANSWER = "store in use: "
"""What the answering command's line begins with."""

_COMMAND = "registry.local_stages"
_SECONDS = 120

_logger = logging.getLogger(__name__)


def refresh_stages() -> str:
    """Have stages noted that were set since the last command; without ZenML those noted last count.

    Returns:
        Id of the store in use; empty where ZenML is not installed or does not answer.
    """
    if importlib.util.find_spec("zenml") is None or importlib.util.find_spec("steps") is None:
        return ""
    try:
        done = subprocess.run(
            [sys.executable, "-m", _COMMAND], capture_output=True, text=True, timeout=_SECONDS, check=False
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
