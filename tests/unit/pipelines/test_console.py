"""What a run shows of what ZenML says."""

from __future__ import annotations

import logging
import sys

import pytest
from botocore.exceptions import EndpointConnectionError

from pipelines.console import _wanted
from retrieval.errors import StorageError


def said(error: Exception) -> logging.LogRecord:
    try:
        raise error
    except type(error):
        return logging.LogRecord("zenml.steps", logging.ERROR, __file__, 1, "Step failed.", (), sys.exc_info())


def test_what_one_line_tells_at_the_end_is_not_told_before() -> None:
    assert not _wanted(said(EndpointConnectionError(endpoint_url="http://localhost:1")))
    assert not _wanted(said(StorageError("s3://bucket: away")))


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyError("another")])
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    record = said(error)
    assert _wanted(record)
    assert "Traceback" in logging.Formatter().format(record)
