"""What tracing needs of OpenTelemetry, imported only where it is on; a collector that is down costs spans alone."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from monitoring.spans import Kind, Span

_logger = logging.getLogger(__name__)
_KINDS: dict[Kind, SpanKind] = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}
_FAULT = 500
WAITING_SPANS = 2_048
"""Spans that may wait for the collector; more are dropped and counted."""
_BATCH_SPANS, _EVERY_SECONDS = 512, 1.0
_PATIENCE_SECONDS = 2.0  # for one request to the collector, its repetitions included
_STOP_SECONDS = 3.0
_TELL_SECONDS = 60.0


class Tracer:
    """Spans of one process, on their way to a collector from a thread of their own."""

    def __init__(self, service: str, endpoint: str, ratio: float) -> None:
        """See `monitoring.traces.start_tracing`."""
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # `DropCount` says it once, not for every try
        drops = DropCount(endpoint)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_PATIENCE_SECONDS)
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            resource=Resource.create({"service.name": service}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BoundedSpanProcessor(exporter, drops))
        self._tracer = self._provider.get_tracer("monitoring.traces")
        self._format = TraceContextTextMapPropagator()

    def server_span(self, carrier: Mapping[str, str]) -> AbstractContextManager[Span]:
        """A span under the one that the carrier names, or the first of a new trace."""
        parent = self._format.extract(carrier, Context())
        return self._managed("request", SpanKind.SERVER, parent)

    def span(self, name: str, kind: Kind) -> AbstractContextManager[Span]:
        """A span under the current one."""
        return self._managed(name, _KINDS[kind], None)

    def _managed(self, name: str, kind: SpanKind, parent: Context | None) -> AbstractContextManager[Span]:
        # messages of errors may hold what a client sent, so they stay out
        return _KeptSpan(
            self._tracer.start_as_current_span(
                name, parent, kind, record_exception=False, set_status_on_exception=False
            )
        )

    def record(self, name: str, started: float, ended: float) -> None:
        """A span under the current one that is over; times in monotonic seconds."""
        if not get_current_span().is_recording():
            return
        behind = time.time() - time.monotonic()
        made = self._tracer.start_span(name, start_time=int((started + behind) * 1e9))
        made.end(int((ended + behind) * 1e9))

    def headers(self) -> dict[str, str]:
        """W3C Trace Context of the current span."""
        carrier: dict[str, str] = {}
        self._format.inject(carrier)
        return carrier

    def trace_id(self) -> str | None:
        """Of the current span, if it is kept."""
        context = get_current_span().get_span_context()
        return format_trace_id(context.trace_id) if context.trace_flags.sampled else None

    def stop(self) -> None:
        """Send what waits; a collector that does not answer is waited for no longer than `_STOP_SECONDS`."""
        stopping = threading.Thread(target=self._provider.shutdown, daemon=True)
        stopping.start()
        stopping.join(_STOP_SECONDS)


class _KeptSpan(Span):
    """A span that is current while its block runs."""

    def __init__(self, manager: AbstractContextManager[OtelSpan]) -> None:
        self._manager = manager

    def __enter__(self) -> Span:
        self._span = self._manager.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if kind is not None:
            self._span.set_status(StatusCode.ERROR, kind.__name__)
        return self._manager.__exit__(kind, error, trace)

    def ends_as(self, name: str, status: int, attributes: Mapping[str, str]) -> None:
        self._span.update_name(name)
        self._span.set_attributes({key: value for key, value in attributes.items() if value})
        self._span.set_attribute("http.response.status_code", status)
        if status >= _FAULT:
            self._span.set_status(StatusCode.ERROR)


class DropCount:
    """Counts spans that never reached the collector, and says so once a minute at most."""

    def __init__(self, endpoint: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin at 0."""
        self.spans, self._clock, self._told_at = 0, clock, float("-inf")
        self._endpoint = re.sub("//[^/]*@", "//", endpoint)  # a password is nothing for a log

    def add(self, spans: int) -> None:
        """Count some more."""
        self.spans += spans
        now = self._clock()
        if now - self._told_at >= _TELL_SECONDS:
            self._told_at = now
            _logger.warning(
                "the trace collector at %s does not take spans: %d dropped since start", self._endpoint, self.spans
            )


class BoundedSpanProcessor(BatchSpanProcessor):
    """OpenTelemetry's batches; counts what it drops because too much waits, which theirs only logs."""

    def __init__(self, exporter: SpanExporter, drops: DropCount) -> None:
        """Start the thread that sends."""
        self._drops, self._sending = drops, _CountedExporter(exporter, drops)
        super().__init__(
            self._sending,
            max_queue_size=WAITING_SPANS,
            schedule_delay_millis=1000.0 * _EVERY_SECONDS,
            max_export_batch_size=_BATCH_SPANS,
        )
        self._taken = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Let a span wait for its batch, or drop it."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._taken - self._sending.handed_over >= WAITING_SPANS:
            self._drops.add(1)
            return
        self._taken += 1
        super().on_end(span)


class _CountedExporter(SpanExporter):
    """An exporter whose failures are counted.

    Attributes:
        handed_over: Spans that wait no longer, sent or not.
    """

    def __init__(self, exporter: SpanExporter, drops: DropCount) -> None:
        self._exporter, self._drops, self.handed_over = exporter, drops, 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self.handed_over += len(spans)
            if result is not SpanExportResult.SUCCESS:
                self._drops.add(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
