"""A real `mlflow server` on this machine that tests may stop and start again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from retrieval.processes.servers import LOCALHOST, LocalServer, free_port, started
from stacks.mlflow_server import MLFLOW_ENVIRONMENT, mlflow_command

START_SECONDS = 900


@dataclass
class MlflowServer:
    """SQLite backend below ``folder``, artifacts there too or where ``artifacts`` says; the port stays the same."""

    folder: Path
    artifacts: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Credentials of the place of its artifacts."""
    port: int = field(default_factory=free_port)
    process: LocalServer | None = None

    @property
    def uri(self) -> str:
        return f"http://{LOCALHOST}:{self.port}"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        stored = ["--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}", "--serve-artifacts"]
        stored += ["--artifacts-destination", self.artifacts or str(self.folder / "artifacts")]
        variables = {**MLFLOW_ENVIRONMENT, "MLFLOW_DISABLE_TELEMETRY": "true", **self.environment}
        command = mlflow_command(self.port, *stored)
        self.process = started("mlflow server", command, self.port, variables, self.folder / "server.log")
        self.process.wait_until_ready("/health", START_SECONDS)

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process = None
