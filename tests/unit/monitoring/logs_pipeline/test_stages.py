"""Stages of Alloy and of Promtail on lines as `monitoring.logs` writes them, and on lines that nobody meant."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitoring.logs import QUESTIONS, REQUEST_ID, JsonFormatter
from monitoring.slo import SERVICES
from retrieval.paths import SERVE_LOGS
from tests.helpers.alloy_syntax import blocks_of
from tests.helpers.log_pipelines import CONFIG, CONTAINERS, PROMTAIL
from tests.helpers.log_stages import Entry, alloy_stages, promtail_stages, run

STAGES = alloy_stages(CONFIG)
LABELS = {
    "service": set(SERVICES),
    "level": {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"},
    "track": {"stable", "canary"},
}
READ_WITH = {"service": "gateway", "filename": "/srv/.cache/serve/gateway.log"}


def written(message: str, level: int = logging.INFO, logger: str = "deployment.api", request_id: str = "abc-1") -> str:
    """A line of a canary gateway."""
    formatter = JsonFormatter()
    formatter.source = SimpleNamespace(endpoint="gateway", track="canary", model_version="run-7")
    token = REQUEST_ID.set(request_id)
    try:
        return formatter.format(logging.LogRecord(logger, level, __file__, 1, message, (), None))
    finally:
        REQUEST_ID.reset(token)


def sent(line: str) -> Entry:
    entry = run(STAGES, line, READ_WITH)
    assert entry is not None
    return entry


def test_alloy_for_files_and_for_containers_and_both_jobs_of_promtail_have_the_same_stages():
    assert alloy_stages(CONTAINERS) == STAGES
    assert promtail_stages(PROMTAIL) == [STAGES, STAGES]


def test_a_line_has_three_labels_and_what_has_many_values_as_metadata():
    before = datetime.now(UTC)
    line = written("answered")
    entry = sent(line)
    assert entry.line == line
    assert entry.labels == {"service": "gateway", "level": "INFO", "track": "canary"}
    assert entry.metadata == {"request_id": "abc-1", "model_version": "run-7"}
    assert entry.timestamp is not None
    assert abs((entry.timestamp - before).total_seconds()) < 60


@given(st.text() | st.dictionaries(st.text(), st.text() | st.none() | st.integers() | st.floats()).map(json.dumps))
def test_whatever_a_line_holds_its_labels_are_few(line: str):
    entry = run(STAGES, line, READ_WITH)
    if line.strip(" \t\n\r\f"):
        assert entry is not None
        assert entry.line == line
    if entry is not None:
        assert {name: value for name, value in entry.labels.items() if value not in LABELS[name]} == {}


HOSTILE = (
    st.sampled_from(["gateway\n", "gateway ", "x", "gateway2", "", "ERROR|INFO", "canary\u2028", "stable"]) | st.text()
)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_values_that_are_not_ours_become_no_labels(service: str, level: str, track: str):
    entry = sent(json.dumps({"service": service, "level": level, "track": track}))
    said = {"service": service, "level": level, "track": track}
    assert entry.labels == {"service": "gateway"} | {k: v for k, v in said.items() if v in LABELS[k]}


def test_a_service_is_believed_before_the_name_of_its_file():
    assert run(STAGES, '{"service": "bi-encoder"}', READ_WITH) == Entry(
        '{"service": "bi-encoder"}', {"service": "bi-encoder"}
    )


@pytest.mark.parametrize("line", ["Fatal Python error: Segmentation fault", "[1, 2]", '{"level": "ERR', "null", '"x"'])
def test_a_line_that_is_no_object_is_kept_under_the_name_of_its_file_and_with_the_time_of_reading(line: str):
    assert sent(line) == Entry(line, {"service": "gateway"})


@pytest.mark.parametrize("line", ["", "   ", "\t"])
def test_blank_lines_are_dropped(line: str):
    assert run(STAGES, line, READ_WITH) is None


def test_what_people_ask_is_not_sent_even_where_it_is_written_down():
    assert run(STAGES, written("search: 'một câu hỏi riêng'", logger=QUESTIONS), READ_WITH) is None
    assert run(STAGES, written("questions", logger="deployment.api"), READ_WITH) is not None


@pytest.mark.parametrize("said", ["yesterday", 12, None, "2026-12-01 04:14:08", "2026-12-01T04:14:08"])
def test_a_time_that_is_none_leaves_the_time_of_reading(said: object):
    assert sent(json.dumps({"timestamp": said})).timestamp is None


def test_the_level_of_each_line_that_python_writes_is_a_label():
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        assert sent(written("x", level)).labels["level"] == logging.getLevelName(level)


def test_files_that_are_read_are_those_that_make_serve_writes():
    wanted = {name: str(SERVE_LOGS / f"{name}{end}.log") for name, end in
              (("gateway", ""), ("bi-encoder", "-service"), ("cross-encoder", "-service"))}  # fmt: skip
    (matched,) = [block for block in blocks_of(CONFIG.read_text(encoding="utf-8")) if block.name == "local.file_match"]
    targets = matched.attributes["path_targets"]
    assert {one["service"]: one["__path__"] for one in targets} == wanted
    jobs = yaml.safe_load(PROMTAIL.read_text(encoding="utf-8"))["scrape_configs"]
    legacy = [one["labels"] for one in jobs[0]["static_configs"]]
    assert {one["service"]: one["__path__"] for one in legacy} == wanted
    assert all(set(one) == {"service", "__path__"} for one in [*targets, *legacy])
