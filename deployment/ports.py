"""Where each service answers unless something else is set."""

from __future__ import annotations

GATEWAY_PORT, BI_ENCODER_PORT, CROSS_ENCODER_PORT = 8100, 8101, 8102
