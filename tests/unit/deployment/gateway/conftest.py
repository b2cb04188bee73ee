"""A gateway over a tiny bundle, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from starlette.testclient import TestClient

from deployment.bundle.format import Bundle
from deployment.gateway.app import make_app
from deployment.settings import read_settings
from tests.unit.deployment.gateway.ready import wait_until_ready


@pytest.fixture(scope="module")
def start(bundle: Bundle) -> Iterator[Callable[..., TestClient]]:
    """Starts a gateway with settings of the test's own, ready to be asked."""
    with ExitStack() as opened:

        def started(**given: object) -> TestClient:
            settings = read_settings({}, bundle=str(bundle.folder), rerank_budget_seconds=30.0, threads=1, **given)
            client = opened.enter_context(TestClient(make_app(settings, in_process=True)))
            wait_until_ready(client)
            return client

        yield started


@pytest.fixture(scope="module")
def client(start: Callable[..., TestClient]) -> TestClient:
    return start()
