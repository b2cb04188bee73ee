"""What keeps every library from reporting home; without torch, so that any command can ask for it first."""

from __future__ import annotations

import os

TELEMETRY_OFF = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "ZENML_ANALYTICS_OPT_IN": "false",
    "ZENML_AUTO_OPEN_DASHBOARD": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "TOKENIZERS_PARALLELISM": "true",
}


def telemetry_off() -> None:
    """Turn off every library's telemetry for this process and its children; a value set by the user stays."""
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)
