"""An S3 server that goes away before or during a run: what the run says, and that ZenML's state stays usable."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.s3_server import S3Server, new_server, remove
from tests.integration.conftest import Project, copy_project

pytestmark = pytest.mark.slow  # waits for servers to go and to come back

BUCKET = "faulty"
DATA = ("--pipeline", "data", "--config", "configs/smoke.yaml", "--stack", "s3")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    one = new_server(tmp_path_factory.mktemp("faulty"))
    one.start(BUCKET)
    yield one
    remove(one)


@pytest.fixture(scope="module")
def registered(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Project:
    base = tmp_path_factory.mktemp("faults")
    copy_project(base / "copy")
    project = Project(base / "copy", base / "zenml", {**server.environment, "S3_BUCKET": BUCKET})
    project.python("-m", "stacks.register", "s3")
    return project


def with_patience(project: Project, seconds: float) -> Project:
    variables = {**project.variables, "S3_PATIENCE_SECONDS": str(seconds)}
    return Project(project.folder, project.home, variables)


def run_until(project: Project, line: str, *arguments: str) -> subprocess.Popen[str]:
    """A run in the background that has got as far as printing ``line``."""
    process = project.start(*DATA, *arguments)
    for printed in process.stdout or ():
        if line in printed:
            return process
    pytest.fail(f"ended with {process.wait()} before {line!r}")


def ended_in_one_line(code: int | None, output: str) -> str:
    """The error's line of a run that failed as it should."""
    assert code == 1, output
    assert "Traceback" not in output, output
    lines = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, output
    return lines[0]


def test_a_server_that_is_away_is_told_before_any_step(server: S3Server, registered: Project) -> None:
    server.kill()
    done = with_patience(registered, 2).run(*DATA, expect=None)
    line = ended_in_one_line(done.returncode, done.stdout + done.stderr)
    assert f"{server.url} cannot be reached after 2 s of retries" in line
    assert "Step `" not in done.stdout
    server.start(BUCKET)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, "refuses the credentials"),
        ({"S3_BUCKET": "not-there"}, "has no bucket not-there"),
    ],
)
def test_wrong_credentials_and_a_missing_bucket_are_told_on_registering_and_before_any_step(
    registered: Project, tmp_path: Path, changed: dict[str, str], expected: str
) -> None:
    project = Project(registered.folder, tmp_path / "zenml", {**registered.variables, **changed})
    told = project.python("-m", "stacks.register", "s3", expect=1)
    assert "not all of it answers" in told.stdout
    assert expected in told.stdout
    done = project.run(*DATA, expect=None)
    assert expected in ended_in_one_line(done.returncode, done.stdout + done.stderr)
    assert "wrong-secret" not in told.stdout + told.stderr + done.stdout + done.stderr


def test_a_run_rides_out_a_server_that_comes_back(server: S3Server, registered: Project) -> None:
    process = run_until(with_patience(registered, 240), "Step `preprocess_text` has started", "--set", "seed=1")
    server.kill()
    time.sleep(3)
    server.launch()
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    assert set(registered.steps().values()) == {"completed"}


def test_a_server_that_goes_for_good_ends_the_run_with_one_line_and_the_next_run_goes_on(
    server: S3Server, registered: Project
) -> None:
    process = run_until(with_patience(registered, 3), "Step `preprocess_text` has started", "--set", "seed=2")
    server.kill()
    output, _ = process.communicate(timeout=600)
    ended_in_one_line(process.returncode, output)
    server.start(BUCKET)
    registered.run(*DATA, "--set", "seed=2")
    assert registered.steps()["ingest_articles"] == "cached"
    assert registered.recomputed() == set(registered.steps()) - {"ingest_articles"}
