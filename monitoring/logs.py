"""Lines of a service's log: one JSON object each, or text for a terminal, with whose they are and of which request."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Protocol

from monitoring.traces import current_trace_id

LogFormat = Literal["auto", "json", "text"]
"""``auto`` is text on a terminal and JSON elsewhere: in a container or a file it is a program that reads first."""
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is answered; None outside of any."""
ACCESS = "access"
"""Name of the logger that writes one line for each request."""
QUESTIONS = "questions"
"""Name of the logger of what was asked, where that is wanted; what ships logs leaves its lines where they are."""
ACCESS_FIELDS = ("method", "route", "status", "duration_ms", "action", "error", "reason")
"""What such a line says besides; given as ``extra``."""
LONGEST_MESSAGE, LONGEST_EXCEPTION, LONGEST_VALUE = 2_000, 8_000, 200
"""Characters; what is longer loses its middle, so that a line stays below what Loki and Docker take whole."""
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_crash_logger = logging.getLogger("crash")


class LogSource(Protocol):
    """Whose lines they are; the metrics of a service know it."""

    @property
    def endpoint(self) -> str:
        """Name of the service."""

    @property
    def track(self) -> str:
        """Stable or canary."""

    @property
    def model_version(self) -> str:
        """Of the model that answers now."""


class ServiceFormatter(logging.Formatter):
    """What both formats share: bounded values, and where a record came from.

    Attributes:
        source: Asked for each line; None as long as there is no service.
    """

    source: LogSource | None = None

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """What a line says besides its message; nothing that is not known."""
        source, given = self.source, record.__dict__
        known: dict[str, Any] = {"logger": record.name}
        if source is not None:
            known |= {"service": source.endpoint, "track": source.track, "model_version": source.model_version}
        if request_id := REQUEST_ID.get():
            known["request_id"] = request_id
        if trace_id := current_trace_id():
            known["trace_id"] = trace_id
        for name in ACCESS_FIELDS:
            if (value := given.get(name)) is not None:
                known[name] = cut(value, LONGEST_VALUE) if isinstance(value, str) else value
        return known


class JsonFormatter(ServiceFormatter):
    """One line, one object; line breaks and everything else that could end a line early are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record, without its end."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": cut(record.getMessage(), LONGEST_MESSAGE),
            **self.fields(record),
        }
        if record.exc_info:
            line["exception"] = cut(self.formatException(record.exc_info), LONGEST_EXCEPTION)
        return _escaped(json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str))


class TextFormatter(ServiceFormatter):
    """For people at a terminal: time, level, logger, message, and the fields of a request as ``name=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record, and the lines of its traceback."""
        fields = self.fields(record)
        told = (f" {name}={fields[name]}" for name in ("request_id", *ACCESS_FIELDS) if name in fields)
        when = datetime.fromtimestamp(record.created).isoformat(" ", "milliseconds")
        message = cut(record.getMessage(), LONGEST_MESSAGE) + "".join(told)
        line = _escaped(f"{when} {record.levelname} {record.name}: {message}")
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def cut(text: str, most: int) -> str:
    """A text, without its middle where it is too long."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}[... {len(text) - 2 * half} characters ...]{text[-half:]}"


def set_up_logs(log_format: LogFormat) -> ServiceFormatter:
    """Write every log record of this process to standard error; what ends the process or a thread too.

    Args:
        log_format: Of the lines.

    Returns:
        The formatter, to be told its source once there is one.
    """
    text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    formatter: ServiceFormatter = TextFormatter() if text else JsonFormatter()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _log_crash
    threading.excepthook = lambda ended: _log_crash(ended.exc_type, ended.exc_value, ended.exc_traceback)
    return formatter


def _log_crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """An exception that nobody caught, as a line like any other."""
    if error is None or issubclass(kind, KeyboardInterrupt):
        return
    _crash_logger.critical("unhandled %s: %s", kind.__name__, error, exc_info=(kind, error, trace))


def _escaped(line: str) -> str:
    """Without line ends of any script or program, control characters and halves of a surrogate pair."""
    if line.isascii() and line.isprintable():
        return line
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
