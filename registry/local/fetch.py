"""``python -m registry.local.fetch VERSION``: keeps on this machine what was trained on another.

A training keeps its retriever by itself, unless its steps ran where no disk outlives them, as on Kubernetes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from stacks.command import run_command, say


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch a version from the artifact store; 0 if it is kept here now, 2 if there is none of that name."""
    parser = argparse.ArgumentParser(prog="python -m registry.local.fetch", description=__doc__)
    parser.add_argument("version", help="latest, staging, production or a number")
    given = parser.parse_args(arguments)

    def fetch() -> int:
        from registry.local.kept_versions import fetch_version

        say(f"kept in {fetch_version(given.version)}")
        return 0

    return run_command(fetch)


if __name__ == "__main__":
    sys.exit(main())
