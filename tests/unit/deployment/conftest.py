from __future__ import annotations

import pytest

from deployment.bundle.format import Bundle
from deployment.service_metrics import endpoint_metrics
from deployment.settings import ServingSettings
from monitoring.endpoint_metrics import EndpointMetrics
from tests.helpers.tiny_bundle import tiny_bundle
from tests.unit.deployment.held_model import HeldModel


@pytest.fixture(scope="session")
def bundle(tmp_path_factory) -> Bundle:
    """A tiny bundle; tests that change it copy it first."""
    return tiny_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def metrics() -> EndpointMetrics:
    return endpoint_metrics("test", ("embed",), ServingSettings())


@pytest.fixture
def anyio_backend() -> str:
    """The loop that coroutine tests run in."""
    return "asyncio"


@pytest.fixture
def model() -> HeldModel:
    """A model that a test holds back."""
    return HeldModel()
