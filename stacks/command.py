"""What the commands of this folder share: quiet libraries, and one line for a mistake."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

from retrieval.errors import ConfigError, RetrievalError
from retrieval.telemetry import telemetry_off


def say(line: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(f"{line}\n")


def run_command(command: Callable[[], int]) -> int:
    """Run a command; gives its exit code, 2 for a mistake in the input and 1 for anything else that went wrong."""
    telemetry_off()
    os.environ.setdefault("ZENML_LOGGING_VERBOSITY", "ERROR")
    logging.getLogger("zenml").setLevel(logging.ERROR)
    try:
        return command()
    except RetrievalError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, ConfigError) else 1
