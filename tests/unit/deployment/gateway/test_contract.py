"""Whatever is sent to the gateway, its answers are what its OpenAPI document says."""

import time

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.python import asgi
from schemathesis.specs.openapi import schemas  # noqa: F401 - Python 3.11 fails to compile it beside other threads

from deployment.gateway.app import make_app
from deployment.settings import read_settings


def test_schemathesis_finds_nothing_in_any_operation(bundle):
    app = make_app(read_settings({}, bundle=str(bundle.folder), threads=1, rerank_budget_seconds=30.0), in_process=True)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)  # starts the application, in the loop of all calls
    try:
        wait_until_ready(app)
        operations = [result.ok() for result in schema.get_all_operations()]
        assert {operation.path for operation in operations} >= {"/search", "/articles/{cid}", "/laws", "/ready"}
        for operation in operations:
            for mode in modes_of(operation):
                check(operation, mode)
    finally:
        asgi.shutdown_lifespans()


def wait_until_ready(app):
    with asgi.get_client(app) as client:
        while (answer := client.get(f"http://{asgi.HOST}/ready")).status_code != 200:
            assert "cannot serve" not in answer.text, answer.text
            time.sleep(0.05)


def modes_of(operation):
    """What takes nothing cannot be given anything wrong."""
    takes = [*operation.iter_parameters(), *operation.body]
    return list(GenerationMode) if takes else [GenerationMode.POSITIVE]


def check(operation, mode):
    @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def holds(case):
        case.call_and_validate()

    holds()
