"""`monitoring/compose.yaml`, which no container engine runs here: its form, its images, its files, its secrets."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from monitoring.monitor.compose_files import FOLDER, TARGETS, main
from monitoring.monitor.targets import DEFAULTS

MONITORING = FOLDER.parent
COMPOSE = MONITORING / "compose.yaml"
OWN_IMAGE = "legal-gateway:local"
CONTAINER_SOCKET = "/var/run/docker.sock"


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["compose.yaml", "compose.telegram.yaml"])
def test_it_is_what_the_compose_specification_allows(name: str):
    schema = files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    written = yaml.safe_load((MONITORING / name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(json.loads(schema.read_text())).validate(written)


def test_telegrams_file_replaces_alertmanagers_configuration_and_names_no_token(stack):
    added = yaml.safe_load((MONITORING / "compose.telegram.yaml").read_text(encoding="utf-8"))
    (mounted,) = added["services"]["alertmanager"]["volumes"]
    replaced = stack["services"]["alertmanager"]["volumes"][0]
    assert mounted.split("}:")[1] == replaced.partition(":")[2]
    assert added["secrets"] == {"telegram_bot_token": {"environment": "TELEGRAM_BOT_TOKEN"}}


def test_the_whole_stack_is_there(stack):
    assert set(stack["services"]) == {
        "gateway", "bi-encoder", "cross-encoder",
        "prometheus", "alertmanager", "pushgateway", "grafana", "loki", "alloy",
    }  # fmt: skip


def test_every_image_is_ours_or_has_one_version(stack):
    for name, service in stack["services"].items():
        image = service["image"]
        assert image == OWN_IMAGE or re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", image), name
    assert stack["services"]["gateway"]["build"]["dockerfile"] == "deployment/docker/gateway.Dockerfile"
    assert (MONITORING.parent / stack["services"]["gateway"]["build"]["dockerfile"]).is_file()


def test_every_file_that_is_mounted_is_there(stack):
    mounted = [one.split(":") for service in stack["services"].values() for one in service["volumes"]]
    paths = {(MONITORING / parts[0]): parts for parts in mounted if parts[0].startswith(".")}
    assert paths
    for path, parts in paths.items():
        assert path.exists(), path
        assert parts[-1] == "ro", path
    named = {parts[0] for parts in mounted if re.fullmatch(r"[a-z]+", parts[0])}
    assert named == set(stack["volumes"])


def test_nothing_is_open_to_other_machines(stack):
    for name, service in stack["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_every_service_says_when_it_is_well_and_has_no_more_rights_than_it_needs(stack):
    for name, service in stack["services"].items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert service["cap_drop"] == ["ALL"], name
        assert not service.get("privileged"), name


def test_no_secret_is_written_into_it(stack):
    assert all(set(secret) == {"environment"} for secret in stack["secrets"].values())
    for service in stack["services"].values():
        for key, value in service.get("environment", {}).items():
            assert key.endswith("__FILE") or not re.search("PASSWORD|TOKEN|KEY", key), (key, value)


def test_prometheus_looks_where_the_services_answer(stack):
    commands = {name: service.get("command", []) for name, service in stack["services"].items()}
    for service, target in TARGETS.items():
        host, port = target.split(":")
        assert host in stack["services"]
        assert DEFAULTS[service].endswith(f":{port}")
        assert f"127.0.0.1:{port}/ready" in stack["services"][host]["healthcheck"]["test"][-1]
        assert commands[host][:2] == ["python", "-m"]


def test_its_files_are_as_they_would_be_written():
    assert main(["--check"]) == 0


def test_a_changed_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "prometheus.yml").write_text("")
    assert main(["--check"], tmp_path) == 1
    assert "prometheus.yml: is not what it would be" in capsys.readouterr().err
