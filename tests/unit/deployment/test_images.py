"""The images' Dockerfiles: clean, pinned, not root, without what trains, and of files that are there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.helpers.dockerfile import ROOT, in_context, read_stages

FOLDER = ROOT / "deployment/docker"
FILES = sorted(FOLDER.glob("*.Dockerfile"))
NEWER_IN_IMAGES = {
    "fastapi",
    "runpod",
    *(f"opentelemetry-{part}" for part in ("api", "sdk", "proto", "semantic-conventions")),
    *(f"opentelemetry-exporter-otlp-proto-{part}" for part in ("common", "http")),
}
"""RunPod's newer SDK asks for them; ZenML and MLflow cannot have them."""


def pins(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def test_there_is_one_for_each_service() -> None:
    assert [path.name for path in FILES] == ["bi_encoder.Dockerfile", "cross_encoder.Dockerfile", "gateway.Dockerfile"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_hadolint_has_nothing_to_say(path: Path) -> None:
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent) or "hadolint"
    done = subprocess.run([hadolint, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_bases_are_pinned_and_the_last_stage_is_slim_and_not_root(path: Path) -> None:
    *earlier, last = read_stages(path)
    assert {stage.base for stage in [earlier[0], last]} == {"python:3.11.14-slim-bookworm"}
    assert last.all("USER") == ["10001:10001"]
    assert all("pip" not in text and "apt" not in text for text in last.all("RUN"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_cpu_and_gpu_are_one_build_argument_and_nothing_is_installed_without_pins(path: Path) -> None:
    packages = read_stages(path)[0]
    assert packages.all("ARG") in (["TORCH=cu130"], ["TORCH=cpu"])
    installs = [text for text in packages.all("RUN") if "pip install" in text]
    assert all("--constraint constraints.txt" in text or "--no-deps" in text for text in installs)
    assert any('"torch==2.13.0+${TORCH}"' in text for text in installs)
    assert not re.search(r"\[[^\]]*pipelines", " ".join(installs))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_is_copied_exists_and_is_sent_to_the_engine(path: Path) -> None:
    for stage in read_stages(path):
        for text in stage.all("COPY"):
            for name in [] if text.startswith("--from=") else text.split()[:-1]:
                assert (ROOT / name).exists(), name
                assert in_context(name), name


def test_nothing_else_is_sent_to_the_engine() -> None:
    for name in ("run.py", "models/legal-retriever", ".git/config", "questions.csv", "tests/helpers/dockerfile.py"):
        assert not in_context(name), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_command_is_a_module_of_the_project(path: Path) -> None:
    python, flag, module, *_ = read_stages(path)[-1].command()
    assert (python, flag) == ("python", "-m")
    assert find_spec(module) is not None


def test_the_gateway_tells_the_engine_whether_it_is_alive_at_the_port_it_shows() -> None:
    last = read_stages(FOLDER / "gateway.Dockerfile")[-1]
    assert last.all("EXPOSE") == ["8100"]
    assert "http://127.0.0.1:8100/health" in last.all("HEALTHCHECK")[0]


def test_images_have_the_tested_versions_but_for_those_that_runpod_needs() -> None:
    tested, shipped = pins(ROOT / "constraints.txt"), pins(FOLDER / "constraints.txt")
    assert {name for name in shipped if tested.get(name, shipped[name]) != shipped[name]} == NEWER_IN_IMAGES
    assert not {"zenml", "mlflow", "mlflow-skinny", "evidently"} & set(shipped)


def test_everything_that_an_image_asks_for_is_pinned_as_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    shipped = pins(FOLDER / "constraints.txt")
    for text in [*project["dependencies"], *extras["serving"], *extras["runpod"], *extras["tracing"]]:
        asked = Requirement(text)
        if asked.name != project["name"]:
            assert asked.specifier.contains(shipped[canonicalize_name(asked.name)]), text
