"""Jobs belong to the request and the trace that their input names, and each is one line in the log."""

from __future__ import annotations

import logging

import pytest

from deployment.engine.embedding import EmbeddingEngine
from deployment.runpod.worker import Worker
from monitoring.logs import ACCESS, REQUEST_ID
from monitoring.traces import start_tracing
from tests.helpers.otlp_receiver import receiving
from tests.helpers.tiny_bundle import QUESTION
from tests.unit.deployment.runpod.worker_jobs import jobs

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
EMBED = {"action": "embed", "text": QUESTION}


class Listening(logging.Handler):
    """Lines with the request that they were written in."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str | None, int, str | None, str | None]] = []

    def emit(self, record: logging.LogRecord) -> None:
        said = record.__dict__
        self.lines.append((REQUEST_ID.get(), said["status"], said["action"], said["error"]))


@pytest.fixture
def listening() -> Listening:
    return Listening()


def test_each_job_is_a_line_under_the_request_it_names_or_its_own_id(
    embedder: Worker[EmbeddingEngine], listening: Listening
) -> None:
    logger = logging.getLogger(ACCESS)
    before = logger.level
    logger.addHandler(listening)
    logger.setLevel(logging.INFO)
    try:
        wrong = {"action": QUESTION}
        results = jobs(embedder, EMBED | {"request_id": "asked-1"}, EMBED, wrong, EMBED | {"request_id": "a\nb"})
    finally:
        logger.removeHandler(listening)
        logger.setLevel(before)
    assert ["output" in one for one in results] == [True, True, False, True]
    assert {("asked-1", 200, "embed", None), ("job-1", 200, "embed", None)} <= set(listening.lines)
    assert ("job-2", 422, None, "invalid_input") in listening.lines
    assert len({one for one, *_ in listening.lines}) == 4
    assert "a\nb" not in {one for one, *_ in listening.lines}


def test_a_job_is_a_part_of_the_trace_that_its_input_names(embedder: Worker[EmbeddingEngine]) -> None:
    with receiving() as collector:
        stop = start_tracing("bi-encoder", collector.url, 1.0)
        try:
            (result,) = jobs(embedder, EMBED | {"traceparent": f"00-{TRACE}-{PARENT}-01"})
        finally:
            stop()
        assert result["output"]["count"] == 1
        (root,) = [one for one in collector.spans if one.parent == PARENT]
        assert (root.trace, root.name) == (TRACE, "job embed")
        assert {one.name for one in collector.spans if one.parent == root.id} >= {"queue wait", "forward"}
