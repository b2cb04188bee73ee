"""Files for RunPod's Hub, in the formats its publishing guide describes, and true to what the worker takes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from deployment.api.requests import BiEncoderPayload
from deployment.bundle.format import Bundle
from deployment.runpod.bi_encoder import ENDPOINT
from deployment.runpod.worker import Worker
from deployment.settings import PREFIX, ServingSettings
from monitoring.cost import USD_PER_SECOND
from tests.helpers.dockerfile import ROOT, read_stages

STORE = {"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def read(name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((ROOT / name).read_text(encoding="utf-8"))
    return values


HUB, TESTS = read(".runpod/hub.json"), read(".runpod/tests.json")


def setting(variable: str) -> str:
    """Field of the settings that a variable sets; the variables of S3 clients are not ours."""
    return variable.removeprefix(PREFIX).lower()


def test_the_listing_has_what_the_guide_requires() -> None:
    assert {"title", "description", "type", "category", "config"} <= set(HUB)
    assert (HUB["type"], HUB["category"]) == ("serverless", "embedding")
    config = HUB["config"]
    assert config["runsOn"] == "GPU"
    assert all(isinstance(config[name], int) for name in ("containerDiskInGb", "gpuCount"))
    assert isinstance(config["gpuIds"], str)


def test_every_input_of_the_listing_is_a_variable_that_is_read() -> None:
    for entry in HUB["config"]["env"]:
        field = entry["input"]
        assert {"name", "type", "description", "default"} <= set(field)
        assert field["type"] in {"string", "number", "boolean", "huggingface"}
        assert entry["key"] in STORE or setting(entry["key"]) in ServingSettings.model_fields
        if "options" in field:
            assert field["default"] in {option["value"] for option in field["options"]}


def test_defaults_and_presets_are_valid_settings() -> None:
    given = {entry["key"]: entry["input"]["default"] for entry in HUB["config"]["env"]}
    for preset in [{}, *(one["defaults"] for one in HUB["config"]["presets"])]:
        assert set(preset) <= set(given)
        values = {setting(name): value for name, value in (given | preset).items() if name not in STORE}
        ServingSettings.model_validate(values)


def test_the_default_bundle_is_where_the_image_has_one() -> None:
    last = read_stages(ROOT / ".runpod/Dockerfile")[-1]
    default = next(one["input"]["default"] for one in HUB["config"]["env"] if one["key"] == "RETRIEVER_BUNDLE")
    assert last.environment()["RETRIEVER_BUNDLE"] == default
    assert last.command() == ["python", "-m", "deployment.runpod.bi_encoder"]


def test_what_the_guide_looks_for_is_there() -> None:
    for name in (".runpod/handler.py", ".runpod/Dockerfile", "README.md"):
        assert (ROOT / name).is_file()


@pytest.mark.parametrize("case", TESTS["tests"], ids=lambda case: case["name"])
def test_the_tests_of_the_listing_are_jobs_that_the_worker_takes(case: dict[str, Any]) -> None:
    assert isinstance(case["timeout"], int)
    TypeAdapter(BiEncoderPayload).validate_python(case["input"])


def test_the_tests_run_on_a_machine_that_has_a_price() -> None:
    config = TESTS["config"]
    assert {"gpuTypeId", "gpuCount"} <= set(config)
    machine = next(one["value"] for one in config["env"] if one["key"] == "RETRIEVER_MACHINE")
    assert USD_PER_SECOND[machine] > 0


def test_the_test_input_is_answered(bundle: Bundle) -> None:
    settings = ServingSettings(bundle=str(bundle.folder / "bi-encoder"), precision="float32", threads=1)
    answer = asyncio.run(Worker(ENDPOINT, settings).handle({"id": "local_test", **read("test_input.json")}))
    assert len(answer["embedding"]) == 32
