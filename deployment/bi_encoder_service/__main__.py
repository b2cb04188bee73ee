"""``python -m deployment.bi_encoder_service``: embeds texts and finds articles over HTTP."""

from __future__ import annotations

import sys

from deployment.api.command import serve
from deployment.ports import BI_ENCODER_PORT


def main() -> int:
    """Serve with the settings of the environment; see `serve` for what is returned."""
    return serve("deployment.bi_encoder_service", BI_ENCODER_PORT)


if __name__ == "__main__":
    sys.exit(main())
