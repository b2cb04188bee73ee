"""``python -m deployment.gateway [--in-process]``: people search here, by page or by HTTP."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from deployment.api.command import serve
from deployment.ports import GATEWAY_PORT


def main(argv: Sequence[str] | None = None) -> int:
    """Serve with the settings of the environment; see `serve` for what is returned."""
    parser = argparse.ArgumentParser(
        prog="python -m deployment.gateway", description=(__doc__ or "").partition(": ")[2]
    )
    parser.add_argument("--in-process", action="store_true", help="load both models here; no services are needed")
    arguments = parser.parse_args(argv)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # one line for each call of a service says nothing
    return serve("deployment.gateway", GATEWAY_PORT, in_process=arguments.in_process)


if __name__ == "__main__":
    sys.exit(main())
