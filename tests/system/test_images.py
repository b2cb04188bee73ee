"""What the images hold, without a container engine: their build stages carried out into an empty folder, then run."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deployment.bundle.format import Bundle
from retrieval.s3.folders import upload_folder
from tests.helpers.dockerfile import ROOT, Machine, read_stages
from tests.helpers.runpod_control_plane import ControlPlane
from tests.helpers.s3_server import S3Server, free_ports, new_server, remove
from tests.helpers.tiny_bundle import QUESTION

pytestmark = pytest.mark.slow  # installs torch twice
DOCKER = ROOT / "deployment/docker"
ADDRESS = "s3://law/bi-encoder/run-1"
STARTED_SECONDS = 300


def machine_for(root: Path, **arguments: str) -> Machine:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return Machine(root, {"TORCH": "cpu", **arguments}, {"PATH": path, "PIP_RETRIES": "1"})


def run_the_last_stage(machine: Machine, name: str) -> None:
    """Its environment and an empty working folder; users and system folders need an engine."""
    last = read_stages(DOCKER / name)[-1]
    machine.environment |= {key: machine.place(value) for key, value in last.environment().items() if key != "PATH"}
    machine.folder = machine.root / "app"
    machine.folder.mkdir()


def assert_only_what_serves(machine: Machine) -> None:
    machine.run(["pip", "check"])
    names = {line.partition("==")[0].lower() for line in machine.run(["pip", "freeze"]).splitlines()}
    assert {"torch", "fastapi", "uvicorn"} <= names
    assert not {"zenml", "mlflow", "mlflow-skinny", "evidently", "pandas", "matplotlib", "pytest"} & names
    where = machine.run(["python", "-I", "-c", "import deployment; print(deployment.__file__)"])
    assert where.startswith(str(machine.root / "packages"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[S3Server]:
    """An S3 server; a test may end it before it ends itself."""
    server = new_server(tmp_path / "s3")
    server.start("law")
    yield server
    remove(server)


@contextlib.contextmanager
def running(machine: Machine, command: list[str], **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        cwd=machine.folder,
        env={**machine.environment, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output[-4000:]


def wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + STARTED_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/ready").status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(f"{url} did not become ready")


def test_the_bi_encoder_image_holds_no_platform_and_its_worker_serves_a_model_baked_in_by_run_id(
    bundle: Bundle, store: S3Server, tmp_path: Path
) -> None:
    upload_folder(store.client(), bundle.folder / "bi-encoder", ADDRESS)
    machine = machine_for(tmp_path / "image", BUNDLE=ADDRESS, AWS_ENDPOINT_URL=store.url, AWS_REGION="us-east-1")
    packages, baked, _ = read_stages(DOCKER / "bi_encoder.Dockerfile")
    machine.carry_out(packages)
    assert_only_what_serves(machine)
    secrets = {name: store.environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    machine.environment |= secrets
    machine.carry_out(baked)
    store.kill()
    for name in [*secrets, "BUNDLE", "AWS_ENDPOINT_URL", "AWS_REGION"]:  # of the stage alone
        del machine.environment[name]

    run_the_last_stage(machine, "bi_encoder.Dockerfile")
    plane = ControlPlane()
    plane.start()
    ids = plane.submit({"action": "embed", "text": QUESTION})
    command = read_stages(DOCKER / "bi_encoder.Dockerfile")[-1].command()
    with running(machine, command, **plane.environment):
        output = plane.results_of(ids, STARTED_SECONDS)[0]["output"]
    plane.stop()
    assert output["model_version"] == "run-1"
    assert output["cold_start"]["total_seconds"] > 0

    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    service = ["python", "-m", "deployment.bi_encoder_service"]
    with running(machine, service, RETRIEVER_PORT=url.rpartition(":")[2]):
        wait_until_ready(url)
        answer = httpx.post(f"{url}/infer", json={"action": "embed", "text": QUESTION}).json()
    assert answer["embedding"] == pytest.approx(output["embedding"], abs=1e-5)


def test_the_gateway_image_holds_no_platform_and_searches(bundle: Bundle, tmp_path: Path) -> None:
    machine = machine_for(tmp_path / "image")
    packages, last = read_stages(DOCKER / "gateway.Dockerfile")
    machine.carry_out(packages)
    assert_only_what_serves(machine)
    run_the_last_stage(machine, "gateway.Dockerfile")
    port = str(free_ports(1)[0])
    with running(machine, last.command(), RETRIEVER_BUNDLE=str(bundle.folder), RETRIEVER_PORT=port):
        wait_until_ready(f"http://127.0.0.1:{port}")
        health = last.all("HEALTHCHECK")[0].partition("CMD ")[2]
        machine.run(json.loads(health.replace("8100", port)))
        answer = httpx.post(f"http://127.0.0.1:{port}/search", json={"question": QUESTION, "top_k": 3}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["results"]) == 3
