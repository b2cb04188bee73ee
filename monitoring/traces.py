"""Spans of requests, across gateway, services and workers; does nothing, and imports nothing, while it is off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from monitoring.spans import Kind, Span
from retrieval.errors import ConfigError
from retrieval.extras import need

if TYPE_CHECKING:
    from monitoring.trace_export import Tracer

TRACE_KEYS = ("traceparent", "tracestate")
"""Headers of W3C Trace Context, which a job carries as keys of its input."""
_LONGEST_KEY = 512  # what the standard asks systems to carry
_tracer: Tracer | None = None


NO_SPAN: AbstractContextManager[Span] = nullcontext(Span())


def start_tracing(service: str, endpoint: str, ratio: float) -> Callable[[], None]:
    """Send spans of this process to a collector from now on.

    Args:
        service: Whose they are.
        endpoint: Address of the collector's OTLP over HTTP, as in ``http://127.0.0.1:4318``; empty leaves tracing off.
        ratio: Share of traces that begin here and are kept, within 0 and 1; one that began elsewhere is kept if it was
            there.

    Returns:
        What ends it: sends what waits, within seconds whatever the collector does.

    Raises:
        ConfigError: If the address is none, or the packages are not installed.
    """
    global _tracer  # noqa: PLW0603 - one process has one tracer, as it has one log
    if not endpoint:
        return lambda: None
    if not endpoint.startswith(("http://", "https://")):
        raise ConfigError(
            f"RETRIEVER_OTLP_ENDPOINT: got {endpoint!r}; give the address of OTLP over HTTP, as in http://127.0.0.1:4318"
        )
    need("tracing", "RETRIEVER_OTLP_ENDPOINT")
    from monitoring.trace_export import Tracer

    started = _tracer = Tracer(service, endpoint, ratio)

    def stop() -> None:
        global _tracer  # noqa: PLW0603
        _tracer = None
        started.stop()

    return stop


def server_span(headers: Iterable[tuple[bytes, bytes]]) -> AbstractContextManager[Span]:
    """The whole of a request, as part of the trace that its headers name.

    Args:
        headers: As ASGI has them.
    """
    if _tracer is None:
        return NO_SPAN
    wanted = {key.encode(): key for key in TRACE_KEYS}
    return job_span({wanted[name]: value.decode("latin-1") for name, value in headers if name in wanted})


def job_span(carrier: Mapping[str, object]) -> AbstractContextManager[Span]:
    """The same where a mapping names the trace; what is no text or too long is passed over."""
    if _tracer is None:
        return NO_SPAN
    known = {key: carrier.get(key) for key in TRACE_KEYS}
    texts = {key: value for key, value in known.items() if isinstance(value, str) and len(value) <= _LONGEST_KEY}
    return _tracer.server_span(texts)


def span(name: str, kind: Kind = "internal") -> AbstractContextManager[Span]:
    """A part of the current request, as long as the block takes.

    Args:
        name: Of the part.
        kind: ``client`` where another service is asked.
    """
    return NO_SPAN if _tracer is None else _tracer.span(name, kind)


def record_span(name: str, started: float, ended: float) -> None:
    """A part of the current request that is over.

    Args:
        name: Of the part.
        started: Monotonic seconds.
        ended: Monotonic seconds.
    """
    if _tracer is not None:
        _tracer.record(name, started, ended)


def trace_headers() -> dict[str, str]:
    """Headers that make what another service does for the current request a part of its trace."""
    return {} if _tracer is None else _tracer.headers()


def current_trace_id() -> str | None:
    """Trace of the current request, in 32 hex digits; None while tracing is off and for traces that are not kept."""
    return None if _tracer is None else _tracer.trace_id()
