"""Every metric of the services, defined once; labels take a bounded set of values."""

from __future__ import annotations

import time
from collections.abc import Callable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from monitoring.windows import Slot, Window, WindowGauge

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
OTHER = "other"
"""Stands for any value of a label that is not known beforehand."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_SCORES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


class EndpointMetrics:
    """Metrics of one service, in a registry of their own.

    Attributes:
        endpoint: Value of the label ``endpoint``.
        actions: Values that the label ``action`` may take besides ``other``.
        registry: What `render` shows.
        answers: Requests answered so far.
    """

    def __init__(self, endpoint: str, actions: tuple[str, ...], clock: Callable[[], float] = time.monotonic) -> None:
        """Define everything; ``clock`` gives monotonic seconds to what is told over a window."""
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.endpoint, self.actions, self.registry = endpoint, actions, CollectorRegistry()
        self.answers, self._costs, self._scores = 0, Window(clock), Window(clock)
        self._define_requests()
        self._define_cost()
        self._define_model()
        self._define_queue()
        self.cold_starts.labels(endpoint)

    def _define_requests(self) -> None:
        self.requests = Counter(
            "endpoint_requests_total", "Requests answered", ("endpoint", "action", "status"), registry=self.registry
        )
        self.cold_starts = Counter(
            "endpoint_cold_starts_total", "Times a model was loaded from nothing", ("endpoint",), registry=self.registry
        )
        self.errors = Counter(
            "endpoint_errors_total", "Requests answered with an error", ("endpoint", "type"), registry=self.registry
        )
        self.fallbacks = Counter(
            "endpoint_fallbacks_total",
            "Requests answered in the first stage's order although reranking was asked for; none of them is an error",
            ("endpoint", "reason"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "endpoint_request_duration_seconds",
            "From a request's first byte to its answer",
            ("endpoint", "action"),
            buckets=_SECONDS,
            registry=self.registry,
        )

    def _define_cost(self) -> None:
        self.cost_usd = Counter(
            "endpoint_cost_usd_total",
            "Dollars of compute that requests took; its rate over that of the requests is a cost over many processes",
            ("endpoint",),
            registry=self.registry,
        )
        self._over_window(
            "endpoint_cost_per_request", "Dollars of compute that a request took, mean", self._costs, lambda of: of.mean
        )
        self.cost_per_1k_usd = Gauge(
            "endpoint_cost_per_1k_requests",
            "Dollars of the machine since start, idle seconds too, for each thousand requests",
            ("endpoint",),
            registry=self.registry,
        )

    def _define_model(self) -> None:
        self.inference_seconds = Histogram(
            "endpoint_inference_duration_seconds",
            "One forward of the model",
            ("endpoint",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "endpoint_batch_size", "Rows in one forward", ("endpoint",), buckets=_ROWS, registry=self.registry
        )
        self.dimension = Gauge(
            "endpoint_embedding_dimension", "Numbers in one vector", ("endpoint",), registry=self.registry
        )
        self.score = Histogram(
            "endpoint_score_value",
            "Scores given to documents, within 0 and 1",
            ("endpoint",),
            buckets=_SCORES,
            registry=self.registry,
        )
        self._over_window("endpoint_score_min", "Lowest score given", self._scores, lambda of: of.lowest)
        self._over_window("endpoint_score_max", "Highest score given", self._scores, lambda of: of.highest)

    def _define_queue(self) -> None:
        self.queue_depth = Gauge(
            "endpoint_queue_depth", "Rows that wait for the model", ("endpoint",), registry=self.registry
        )
        self.queue_wait_seconds = Histogram(
            "endpoint_queue_wait_seconds",
            "From arrival in the queue to the first forward",
            ("endpoint",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.tokens = Counter(
            "endpoint_tokens_total", "Tokens that the model read", ("endpoint",), registry=self.registry
        )
        self.truncations = Counter(
            "endpoint_truncations_total", "Texts that lost their end", ("endpoint",), registry=self.registry
        )
        self.rejections = Counter(
            "endpoint_rejections_total",
            "Requests dropped before any compute",
            ("endpoint", "reason"),
            registry=self.registry,
        )

    def answered(self, action: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self.answers += 1
        known = action if action in self.actions else OTHER
        self.requests.labels(self.endpoint, known, str(status)).inc()
        self.request_seconds.labels(self.endpoint, known).observe(seconds)

    def scored(self, scores: list[float]) -> None:
        """Note the scores of one request; at least one."""
        histogram = self.score.labels(self.endpoint)
        for score in scores:
            histogram.observe(score)
            self._scores.add(score)

    def spent(self, usd: float) -> None:
        """Note what the compute of one request cost."""
        self.cost_usd.labels(self.endpoint).inc(usd)
        self._costs.add(usd)

    def fell_back(self, reason: str) -> None:
        """Count a request that was answered without the reranking it asked for."""
        self.fallbacks.labels(self.endpoint, reason).inc()

    def price_uptime(self, usd: float) -> None:
        """Note what the machine cost since the service started."""
        self.cost_per_1k_usd.labels(self.endpoint).set(1000.0 * usd / self.answers if self.answers else 0.0)

    def render(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)

    def _over_window(self, name: str, says: str, window: Window, read: Callable[[Slot], float]) -> None:
        self.registry.register(WindowGauge(name, says, self.endpoint, window, read))
