"""What a person reads when ZenML's own requests to an S3 store fail."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from pipelines.console import _wanted
from stacks import connection
from tests.helpers.s3_server import S3Server

AWAY = EndpointConnectionError(endpoint_url="http://127.0.0.1:1/team/zenml/x")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Never started; its store is the active stack's."""
    server = S3Server(tmp_path)
    store = server.artifact_store("team")
    monkeypatch.setattr(
        connection, "Client", lambda: SimpleNamespace(active_stack=SimpleNamespace(artifact_store=store))
    )
    return server


def test_a_store_that_zenml_cannot_reach_is_named_with_what_to_do(server: S3Server) -> None:
    told = str(connection.refused_by_s3(AWAY))
    assert told == (
        f"s3://team/zenml: {server.url} cannot be reached (EndpointConnectionError); start it, then run again"
    )


def test_a_refusal_names_its_code(server: S3Server) -> None:
    refused = ClientError({"Error": {"Code": "SignatureDoesNotMatch", "Message": "no"}}, "HeadObject")
    assert "refuses the credentials (SignatureDoesNotMatch)" in str(connection.refused_by_s3(refused))


def test_other_errors_are_left_as_they_are(server: S3Server) -> None:
    assert connection.refused_by_s3(OSError("disk")) is None


def test_the_terminal_shows_no_traceback_of_an_error_that_ends_as_one_line() -> None:
    def record(error: Exception) -> logging.LogRecord:
        return logging.LogRecord("zenml.x", logging.ERROR, "", 0, "Failed", (), (type(error), error, None))

    assert not _wanted(record(AWAY))
    assert _wanted(record(ValueError("a bug")))
