"""Waiting for a service that loads its bundle after it has started."""

import time

from starlette.testclient import TestClient


def wait_until_ready(client: TestClient) -> None:
    while (answer := client.get("/ready")).status_code != 200:
        assert "cannot serve" not in answer.text, answer.text
        time.sleep(0.05)
