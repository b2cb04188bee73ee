"""Lines of the log: whatever is said, one record is one line of valid JSON, bounded, and says whose it is."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
import unicodedata
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.logs import (
    ACCESS_FIELDS,
    LONGEST_EXCEPTION,
    LONGEST_MESSAGE,
    LONGEST_VALUE,
    REQUEST_ID,
    JsonFormatter,
    TextFormatter,
    cut,
)

SOURCE = SimpleNamespace(endpoint="gateway", track="canary", model_version="run-7")


def record(message: str, *values: object, raised: BaseException | None = None, **extra: object) -> logging.LogRecord:
    trace = (type(raised), raised, raised.__traceback__) if raised else None
    made = logging.LogRecord("deployment.api", logging.INFO, __file__, 1, message, values, trace)
    made.__dict__.update(extra)
    return made


def line(message: str, *values: object, **more: object) -> dict[str, object]:
    return json.loads(JsonFormatter().format(record(message, *values, **more)))


def test_a_line_says_when_what_and_whose():
    formatter = JsonFormatter()
    formatter.source = SOURCE
    token = REQUEST_ID.set("abc-1")
    try:
        said = json.loads(formatter.format(record("ready after %.1f s", 1.25)))
    finally:
        REQUEST_ID.reset(token)
    when = said.pop("timestamp")
    assert when.endswith("+00:00")
    assert said == {
        "level": "INFO",
        "message": "ready after 1.2 s",
        "logger": "deployment.api",
        "service": "gateway",
        "track": "canary",
        "model_version": "run-7",
        "request_id": "abc-1",
    }


def test_the_model_that_answers_now_is_named_after_a_change_of_models():
    formatter = JsonFormatter()
    formatter.source = source = SimpleNamespace(endpoint="gateway", track="stable", model_version="loading")
    before = json.loads(formatter.format(record("x")))
    source.model_version = "run-8"
    assert (before["model_version"], json.loads(formatter.format(record("x")))["model_version"]) == ("loading", "run-8")


def test_outside_of_a_service_and_a_request_nothing_is_made_up():
    assert set(line("x")) == {"timestamp", "level", "message", "logger"}


@given(st.text(st.characters()))
def test_whatever_is_said_is_one_line_of_json(text):
    written = JsonFormatter().format(record("%s", text, reason=text))
    assert len(f"{written}\n".splitlines()) == 1
    assert not [sign for sign in written if unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"}]
    said = json.loads(written.encode("utf-8"))
    if len(text) <= LONGEST_VALUE and not re.search("[\ud800-\udfff]", text):  # two halves are read as one sign
        assert said["message"] == said["reason"] == text


@given(st.text(st.characters()))
def test_a_message_is_one_line_of_text_too(text):
    assert len(TextFormatter().format(record("%s", text)).splitlines()) == 1


def test_ten_megabytes_and_line_breaks_leave_a_short_line():
    huge = "x\n" * 5_000_000
    with pytest.raises(ValueError, match="could not convert") as failed:
        float(huge)
    written = JsonFormatter().format(record("%s", huge, raised=failed.value, **dict.fromkeys(ACCESS_FIELDS, huge)))
    assert "\n" not in written
    assert len(written) < 2 * (LONGEST_MESSAGE + LONGEST_EXCEPTION + len(ACCESS_FIELDS) * LONGEST_VALUE) + 2_000
    assert json.loads(written)["exception"].startswith("Traceback")


def test_a_cut_text_keeps_both_ends_and_says_how_much_is_gone():
    assert cut("a" * 10 + "b" * 50 + "c" * 10, 20) == "a" * 10 + "[... 50 characters ...]" + "c" * 10
    assert cut("as it is", 8) == "as it is"


def test_a_value_that_json_does_not_know_is_written_as_text():
    assert line("x", status=object)["status"] == "<class 'object'>"


def test_vietnamese_stays_readable():
    assert "nghỉ hằng năm" in JsonFormatter().format(record("nghỉ hằng năm"))


@pytest.mark.parametrize("wanted", ["json", "auto"])
def test_what_ends_a_process_or_a_thread_is_a_line_like_any_other(wanted):
    code = (
        "import threading, warnings\n"
        "from monitoring.logs import set_up_logs\n"
        f"set_up_logs({wanted!r})\n"
        "warnings.warn('old')\n"
        "thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()\n"
        "raise RuntimeError('two\\nlines')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = [json.loads(one) for one in ended.stderr.splitlines()]
    assert ended.returncode == 1
    assert [(one["level"], one["logger"]) for one in lines] == [
        ("WARNING", "py.warnings"),
        ("CRITICAL", "crash"),
        ("CRITICAL", "crash"),
    ]
    assert lines[2]["message"] == "unhandled RuntimeError: two\nlines"
    assert "Traceback" in lines[2]["exception"]


def test_on_a_terminal_lines_are_text_and_a_request_is_readable():
    formatter = TextFormatter()
    formatter.source = SOURCE
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.handle(record("answered", method="POST", route="/search", status=200, duration_ms=12.5))
    said = stream.getvalue()
    assert said.endswith("INFO deployment.api: answered method=POST route=/search status=200 duration_ms=12.5\n")
