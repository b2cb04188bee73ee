"""How an MLflow server or UI is started on this machine."""

from __future__ import annotations

import sys

from retrieval.processes.servers import LOCALHOST

MLFLOW_ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Without it an MLflow server starts ten processes."""


def mlflow_command(port: int, *options: str) -> list[str]:
    """The command of an MLflow server or UI on this machine; give it `MLFLOW_ENVIRONMENT`.

    Args:
        port: Where it will answer.
        options: Where it keeps runs and artifacts.
    """
    served = ["-m", "mlflow", "server", "--host", LOCALHOST, "--port", str(port), "--workers", "1"]
    return [sys.executable, *served, *options]
