"""How a service is put together: mistakes in its settings, and the shape of what it refuses."""

from __future__ import annotations

import subprocess
import sys

import pytest

from deployment.bi_encoder_service import __main__ as bi_encoder
from deployment.cross_encoder_service import __main__ as cross_encoder
from deployment.gateway import __main__ as gateway
from retrieval import extras


@pytest.mark.parametrize("module", [bi_encoder, cross_encoder])
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "RETRIEVER_BUNDLE: not set"),
        (
            {"RETRIEVER_BUNDLE": "/b", "RETRIEVER_PORT": "high"},
            "RETRIEVER_PORT: got 'high'; Input should be a valid integer",
        ),
        ({"RETRIEVER_BUNDLE": "/b", "RETRIEVER_API_KEYS": "short"}, "shorter than 16 characters"),
        ({"RETRIEVER_BUNDLE": "/b", "RETRIEVER_MACHINE": "basement"}, "machine: got 'basement'"),
    ],
)
def test_a_mistake_in_the_settings_ends_with_one_line(module, variables, message, monkeypatch, capsys):
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert module.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line


@pytest.mark.parametrize("command", [bi_encoder.main, cross_encoder.main, lambda: gateway.main([])])
def test_a_service_typed_without_its_packages_says_which_and_how_to_get_them(command, monkeypatch, capsys):
    monkeypatch.setitem(extras.EXTRAS, "serving", ("fastapi", "no_such_package"))
    assert command() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs no_such_package, not installed here; pip install -e '.[serving]'" in line


def test_a_service_command_imports_nothing_of_the_serving_extra_before_it_has_looked_for_it():
    probe = (
        "import sys; from deployment.gateway import __main__;"
        " from deployment.bi_encoder_service import __main__; from deployment.cross_encoder_service import __main__;"
        " late = {'fastapi', 'uvicorn', 'prometheus_client', 'httpx', 'pydantic_settings', 'torch'};"
        " sys.exit(' '.join(late & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_gateway_in_front_of_services_runs_without_torch():
    probe = (
        "import sys; sys.modules['torch'] = None;"
        " from deployment.api import server; from deployment.gateway import app, remote, search;"
        " from retrieval.data.storage import load_dataset; assert 'transformers' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
