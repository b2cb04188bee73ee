"""``python -m deployment.gateway [--in-process]``: people search here, by page or by HTTP."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from functools import partial

from deployment.gateway.app import make_app
from deployment.serving import run_service
from deployment.settings import GATEWAY_PORT, read_settings
from retrieval.errors import ConfigError


def main(argv: Sequence[str] | None = None) -> int:
    """Serve with the settings of the environment; see `run_service` for what is returned."""
    parser = argparse.ArgumentParser(
        prog="python -m deployment.gateway", description=(__doc__ or "").partition(": ")[2]
    )
    parser.add_argument("--in-process", action="store_true", help="load both models here; no services are needed")
    arguments = parser.parse_args(argv)
    try:
        settings = read_settings()
    except ConfigError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    logging.getLogger("httpx").setLevel(logging.WARNING)  # one line for each call of a service says nothing
    return run_service(partial(make_app, in_process=arguments.in_process), settings, GATEWAY_PORT)


if __name__ == "__main__":
    sys.exit(main())
