"""Shows the lineage of runs: the ZenML dashboard and the MLflow UI on this machine, until Ctrl-C.

``python -m stacks.dashboard`` (``make dashboard``). Both read the stores that runs write; the user's ZenML
configuration keeps pointing where it points.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.enums import StoreType
from zenml.models import PipelineRunResponse, ServerSettingsUpdate
from zenml.utils.dashboard_utils import get_run_url

from retrieval.errors import RetrievalError
from retrieval.processes.servers import (
    LOCALHOST,
    LocalServer,
    free_port,
    running,
    serve_until_interrupted,
    stopping_signals,
)
from retrieval.telemetry import telemetry_off
from stacks.choice import choose_stack, use_for_this_process
from stacks.mlflow_server import MLFLOW_ENVIRONMENT, mlflow_command

ZENML_PORT, MLFLOW_PORT = 8237, 5000
_SURVEY = "finished_onboarding_survey"


@contextmanager
def zenml_dashboard(port: int, folder: Path, timeout_seconds: float = 180.0) -> Iterator[LocalServer]:
    """Serve the dashboard of the user's local ZenML store on localhost, without a login.

    Args:
        port: Taken if it is free.
        folder: For the server's own configuration and log.
        timeout_seconds: For its start.
    """
    ours = GlobalConfiguration()
    store = ours.store_configuration
    free = free_port(port)
    environment = {
        "ZENML_SERVER": "true",
        "ZENML_SERVER_ALLOW_LOCAL_FILE_ACCESS": "true",  # or it shows no picture of a local artifact
        "ZENML_SERVER_AUTH_SCHEME": "NO_AUTH",
        "ZENML_SERVER_DEPLOYMENT_TYPE": "local",
        "ZENML_SERVER_AUTO_ACTIVATE": "true",
        "ZENML_DISABLE_DATABASE_MIGRATION": "true",
        "ZENML_CONFIG_PATH": str(folder / "zenml"),
        "ZENML_LOCAL_STORES_PATH": ours.local_stores_path,
        "ZENML_STORE_TYPE": store.type.value,
        "ZENML_STORE_URL": store.url,
        "ZENML_USER_ID": str(ours.user_id),
    }
    served = ["-m", "uvicorn", "zenml.zen_server.zen_server_api:app", "--host", LOCALHOST, "--port", str(free)]
    command = [sys.executable, *served, "--log-level", "warning", "--no-server-header"]
    with running("ZenML dashboard", command, free, environment, folder / "zenml.log") as server:
        server.wait_until_ready("/health", timeout_seconds)
        yield server


@contextmanager
def mlflow_ui(tracking_uri: str, port: int, folder: Path, timeout_seconds: float = 180.0) -> Iterator[LocalServer]:
    """Serve the MLflow UI of a local tracking store on localhost.

    Args:
        tracking_uri: Of a database or a folder.
        port: Taken if it is free.
        folder: For its log.
        timeout_seconds: For its start.
    """
    free = free_port(port)
    stored = ["--backend-store-uri", tracking_uri, "--default-artifact-root", str(folder / "unused")]
    command = mlflow_command(free, *stored)
    with running("MLflow UI", command, free, MLFLOW_ENVIRONMENT, folder / "mlflow.log") as server:
        server.wait_until_ready("/health", timeout_seconds)
        yield server


def answer_survey() -> None:
    """Answer the survey a fresh dashboard opens with, and turn its announcements off; what was answered stays."""
    client = Client()
    user = client.active_user
    if not user.user_metadata.get(_SURVEY):
        # the client's own function would also set all that it is not given
        client.zen_store.update_server_settings(
            ServerSettingsUpdate(display_announcements=False, display_updates=False)
        )
        client.update_user(user.id, updated_email_opt_in=False, updated_metadata={**user.user_metadata, _SURVEY: True})


def last_run() -> PipelineRunResponse | None:
    """The newest run of any pipeline; None where there is none."""
    return next(iter(Client().list_pipeline_runs(sort_by="desc:created", size=1, hydrate=True).items), None)


def run_address(server_url: str, run: PipelineRunResponse) -> str:
    """A run's page in a local dashboard."""
    return f"{server_url}/projects/{run.project.name}/runs/{run.id}"


def mlflow_address(server_url: str, run: PipelineRunResponse) -> str:
    """The page of the MLflow run that a run's steps, or those its cached steps were taken from, wrote to.

    Returns:
        The page of all experiments where none did.
    """
    for step in run.steps.values():
        source = Client().get_run_step(step.original_step_run_id) if step.original_step_run_id else step
        facts = source.run_metadata
        if "mlflow_run_id" in facts:
            return f"{server_url}/#/experiments/{facts['mlflow_experiment_id']}/runs/{facts['mlflow_run_id']}"
    return f"{server_url}/#/experiments"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; 0 then, 1 if a server cannot run."""
    parser = argparse.ArgumentParser(prog="python -m stacks.dashboard", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--zenml-port", type=int, default=ZENML_PORT, help="port of the ZenML dashboard, if free")
    parser.add_argument("--mlflow-port", type=int, default=MLFLOW_PORT, help="port of the MLflow UI, if free")
    parser.add_argument("--stack", metavar="NAME", help="whose experiment tracker is shown; default as in run.py")
    ports = parser.parse_args(argv)
    telemetry_off()
    with tempfile.TemporaryDirectory(prefix="dashboard-") as folder, stopping_signals():
        try:
            use_for_this_process(choose_stack(ports.stack))
            _serve(ports.zenml_port, ports.mlflow_port, Path(folder))
        except RetrievalError as error:
            sys.stderr.write(f"error: {error}\n")
            return 1
        except KeyboardInterrupt:  # before everything had started
            pass
    sys.stdout.write("\nstopped\n")
    return 0


def _serve(zenml_port: int, mlflow_port: int, folder: Path) -> None:
    run, servers = last_run(), []
    with ExitStack() as opened:
        if Client().zen_store.type == StoreType.REST:
            lines = [f"ZenML    {get_run_url(run) if run else Client().zen_store.url}"]
        else:
            answer_survey()
            servers.append(opened.enter_context(zenml_dashboard(zenml_port, folder)))
            lines = [f"ZenML    {run_address(servers[-1].url, run) if run else servers[-1].url}"]
        tracker = Client().active_stack.experiment_tracker
        uri = tracker.get_tracking_uri() if tracker is not None and tracker.flavor == "mlflow" else ""  # type: ignore[attr-defined]
        if uri.startswith(("http://", "https://")):
            lines.append(f"MLflow   {mlflow_address(uri, run) if run else uri}")
        elif uri:
            servers.append(opened.enter_context(mlflow_ui(uri, mlflow_port, folder)))
            lines.append(f"MLflow   {mlflow_address(servers[-1].url, run) if run else servers[-1].url}")
        name = f"last run: {run.name}" if run else "no run yet; python run.py --pipeline training makes one"
        ending = ["Ctrl-C to stop"] if servers else []
        sys.stdout.write("\n".join([name, *lines, *ending, ""]))
        sys.stdout.flush()
        if servers:
            serve_until_interrupted(servers)


if __name__ == "__main__":
    sys.exit(main())
