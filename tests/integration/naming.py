"""``python -m tests.integration.naming NAME``: the version that a name stands for, or why it stands for none."""

from __future__ import annotations

import sys

from registry.versions import find_version
from retrieval.errors import ConfigError
from retrieval.telemetry import telemetry_off


def main(name: str) -> None:
    telemetry_off()
    try:
        sys.stdout.write(f"version {find_version(name).number}\n")
    except ConfigError as error:
        sys.stdout.write(f"refused: {error}\n")


if __name__ == "__main__":
    main(sys.argv[1])
