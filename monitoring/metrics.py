"""Every metric of the services, defined once: name, meaning, labels and buckets; who counts is in endpoint_metrics."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from monitoring.windows import Slot, WindowGauge

IDENTITY = ("endpoint", "track", "model_version")
"""Labels of every metric: which service, stable or canary, and the version of the model that answered."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Bounds of durations; objectives on latency must be one of them, for then they are exact."""
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SCORES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


class MetricFamilies:
    """The metrics of one process, in a registry of their own.

    Attributes:
        registry: What `render` shows.
        lock: Held while a scrape is written and while a model is replaced, so that no scrape sees half of that.
    """

    def __init__(self) -> None:
        """Define everything."""
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry, self.lock = CollectorRegistry(), RLock()
        self._define_requests()
        self._define_cost()
        self._define_model()
        self._define_queue()
        self._define_build()

    def _define_requests(self) -> None:
        self.requests = self._counter("endpoint_requests_total", "Requests answered", "action", "status")
        self.cold_starts = self._counter("endpoint_cold_starts_total", "Times a model was loaded from nothing")
        self.errors = self._counter("endpoint_errors_total", "Requests answered with an error", "type")
        self.fallbacks = self._counter(
            "endpoint_fallbacks_total",
            "Requests answered in the first stage's order although reranking was asked for; none of them is an error",
            "reason",
        )
        self.request_seconds = self._histogram(
            "endpoint_request_duration_seconds", "From a request's first byte to its answer", SECONDS, "action"
        )

    def _define_cost(self) -> None:
        self.cost_usd = self._counter(
            "endpoint_cost_usd_total",
            "Dollars of the machine since start, by what it did; over the requests it is the cost of one",
            "phase",
        )
        self.worker_seconds = self._counter(
            "endpoint_worker_seconds_total", "Seconds of the machine since start, by what it did", "phase"
        )
        self.cost_per_request = self._over_window(
            "endpoint_cost_per_request", "Dollars of compute that a request took, mean", lambda of: of.mean
        )
        self.cost_per_1k_usd = self._gauge(
            "endpoint_cost_per_1k_requests",
            "Dollars of the machine since start, idle seconds too, for each thousand requests",
        )

    def _define_model(self) -> None:
        self.inference_seconds = self._histogram(
            "endpoint_inference_duration_seconds", "One forward of the model", SECONDS
        )
        self.batch_size = self._histogram("endpoint_batch_size", "Rows in one forward", _ROWS)
        self.dimension = self._gauge("endpoint_embedding_dimension", "Numbers in one vector")
        self.score = self._histogram("endpoint_score_value", "Scores given to documents, within 0 and 1", SCORES)
        self.score_min = self._over_window("endpoint_score_min", "Lowest score given", lambda of: of.lowest)
        self.score_max = self._over_window("endpoint_score_max", "Highest score given", lambda of: of.highest)

    def _define_queue(self) -> None:
        self.queue_depth = self._gauge("endpoint_queue_depth", "Rows that wait for the model")
        self.queue_wait_seconds = self._histogram(
            "endpoint_queue_wait_seconds", "From arrival in the queue to the first forward", SECONDS
        )
        self.tokens = self._counter("endpoint_tokens_total", "Tokens that the model read")
        self.truncations = self._counter("endpoint_truncations_total", "Texts that lost their end")
        self.rejections = self._counter("endpoint_rejections_total", "Requests dropped before any compute", "reason")

    def _define_build(self) -> None:
        self.build_info = self._gauge(
            "endpoint_build_info",
            "What is served: 1, with versions of retriever, index and training data and the code's commit as labels",
            "retriever_version",
            "index_version",
            "data_version",
            "commit",
        )
        self.index_articles = self._gauge("endpoint_index_articles", "Articles that can be found")
        self.index_created = self._gauge(
            "endpoint_index_created_timestamp_seconds", "Unix time at which the index was made; its age is since then"
        )

    @property
    def of_model(self) -> tuple[Gauge, ...]:
        """Gauges that tell of the model as it is now, so that those of one that was replaced must go."""
        return (self.dimension, self.queue_depth, self.cost_per_1k_usd, self.index_articles, self.index_created)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Everything as it is now.

        Args:
            accept: What the client takes, as its header says; Prometheus asks for OpenMetrics, where exemplars are.

        Returns:
            The body and its content type.
        """
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # of a version that is no number
            encode, content_type = choose_encoder("")
        with self.lock:
            return encode(self.registry), content_type

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(name, says, (*IDENTITY, *labels), registry=self.registry)

    def _gauge(self, name: str, says: str, *labels: str) -> Gauge:
        return Gauge(name, says, (*IDENTITY, *labels), registry=self.registry)

    def _histogram(self, name: str, says: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, says, (*IDENTITY, *labels), buckets=buckets, registry=self.registry)

    def _over_window(self, name: str, says: str, read: Callable[[Slot], float]) -> WindowGauge:
        gauge = WindowGauge(name, says, IDENTITY, read)
        self.registry.register(gauge)
        return gauge
