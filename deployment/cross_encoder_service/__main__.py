"""``python -m deployment.cross_encoder_service``: scores questions and documents over HTTP."""

from __future__ import annotations

import sys

from deployment.api.command import serve
from deployment.ports import CROSS_ENCODER_PORT


def main() -> int:
    """Serve with the settings of the environment; see `serve` for what is returned."""
    return serve("deployment.cross_encoder_service", CROSS_ENCODER_PORT)


if __name__ == "__main__":
    sys.exit(main())
