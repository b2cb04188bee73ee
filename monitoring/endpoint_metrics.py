"""What a service counts, under its own labels."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from prometheus_client import Counter, Gauge, Histogram

from monitoring.cost import PHASES, Price
from monitoring.label_values import LOADING, LONGEST_VERSION, MOST_VERSIONS, OTHER, Build, KnownValues, Track
from monitoring.metrics import MetricFamilies
from monitoring.windows import Window

Metric = TypeVar("Metric", Counter, Gauge, Histogram)


class EndpointMetrics:
    """Metrics of one endpoint and track; several in one process share their families.

    Attributes:
        endpoint: Value of the label ``endpoint``.
        track: Value of the label ``track``.
        model_version: Value of the label ``model_version``.
        families: What is shown.
        answers: Requests answered so far.
        passed: Seconds of the machine so far, by `PHASES`.
        forwards: Seconds and rows of the last forwards, where somebody wants to know and set this; None keeps none.
    """

    def __init__(
        self,
        endpoint: str,
        known: KnownValues,
        track: Track = "stable",
        families: MetricFamilies | None = None,
        clock: Callable[[], float] = time.monotonic,
        build: Build | None = None,
    ) -> None:
        """Begin at 0.

        Args:
            endpoint: Value of the label ``endpoint``.
            known: What other labels can say.
            track: Value of the label ``track``.
            families: Shared with others; None makes new ones.
            clock: Gives monotonic seconds to what is told over a window.
            build: What is served from the start; None while that is loading.
        """
        self.endpoint, self.track, self.model_version = endpoint, track, LOADING
        self.families, self.answers, self._known = families or MetricFamilies(), 0, known
        self._actions, self._versions, self._clock = frozenset(known.actions), {LOADING}, clock
        self._build: tuple[str, ...] | None = None
        self._costs, self._scores = Window(clock), Window(clock)
        self._usd, self.passed = 0.0, dict.fromkeys(PHASES, 0.0)
        # one attribute, for a thread may count while another one changes the model
        self._counting: tuple[tuple[str, str, str], dict[tuple[object, ...], Any]] = ((endpoint, track, LOADING), {})
        self.forwards: deque[tuple[float, int]] | None = None
        if build is None:
            self._begin_at_zero()
        else:
            self.serves(build)

    @property
    def _own(self) -> tuple[str, str, str]:
        return self._counting[0]

    def serves(self, build: Build) -> None:
        """Count for another model from now on; gauges of the one before go, counters stay."""
        with self.families.lock:
            before, self.model_version = self._own, self._bounded(build.model_version)
            self._counting = ((self.endpoint, self.track, self.model_version), {})
            if before != self._own:
                self._forget(before)
                self._costs, self._scores = Window(self._clock), Window(self._clock)
            self._begin_at_zero()
            self._tell(build)

    def _tell(self, build: Build) -> None:
        families, texts = self.families, (build.retriever, build.index, build.data, build.code)
        if self._build is not None:
            families.build_info.remove(*self._build)
        self._build = (*self._own, *(text[:LONGEST_VERSION] for text in texts))
        families.build_info.labels(*self._build).set(1)
        if build.articles is not None:
            families.index_articles.labels(*self._own).set(build.articles)
        if build.index_created is not None:
            families.index_created.labels(*self._own).set(build.index_created)

    def _bounded(self, version: str) -> str:
        """The version as a value of a label."""
        short = version[:LONGEST_VERSION] or "unknown"
        if short not in self._versions and len(self._versions) > MOST_VERSIONS:
            return OTHER
        self._versions.add(short)
        return short

    def _forget(self, labels: tuple[str, str, str]) -> None:
        for gauge in self.families.of_model:
            gauge.remove(*labels)
        for window in (self.families.score_min, self.families.score_max, self.families.cost_per_request):
            window.remove(*labels)

    def _begin_at_zero(self) -> None:
        known, families, own = self._known, self.families, self._own
        for action in (*known.actions, OTHER):
            families.request_seconds.labels(*own, action)
            for status in known.statuses:
                families.requests.labels(*own, action, status)
        for counter, values in (
            (families.errors, known.errors),
            (families.rejections, known.rejections),
            (families.fallbacks, known.fallbacks),
            (families.cost_usd, PHASES),
            (families.worker_seconds, PHASES),
        ):
            for value in values:
                counter.labels(*own, value)
        for plain in (families.cold_starts, families.tokens, families.truncations):
            plain.labels(*own)
        families.cost_per_request.watch(own, self._costs)
        families.score_min.watch(own, self._scores)
        families.score_max.watch(own, self._scores)

    def _of(self, metric: Metric, *values: str) -> Metric:
        """A metric under our labels; kept, for looking it up in the metric costs more than counting."""
        own, children = self._counting
        found: Metric | None = children.get((metric, *values))
        if found is None:
            found = children[metric, *values] = metric.labels(*own, *values)
        return found

    def answered(self, action: str, status: int, seconds: float, trace_id: str | None = None) -> None:
        """Count a request that was answered; its trace, if there is one, is the bucket's exemplar."""
        self.answers += 1
        known = action if action in self._actions else OTHER
        self._of(self.families.requests, known, str(status)).inc()
        exemplar = {"trace_id": trace_id} if trace_id else None
        self._of(self.families.request_seconds, known).observe(seconds, exemplar)

    def failed(self, code: str) -> None:
        """Count a request that was answered with an error."""
        self._of(self.families.errors, code if code in self._known.errors else OTHER).inc()

    def rejected(self, reason: str) -> None:
        """Count a request that was dropped before any compute."""
        self._of(self.families.rejections, reason).inc()

    def fell_back(self, reason: str) -> None:
        """Count a request that was answered without the reranking it asked for."""
        self._of(self.families.fallbacks, reason).inc()

    def started_cold(self) -> None:
        """Count a model that was loaded from nothing."""
        self._of(self.families.cold_starts).inc()

    def waited(self, seconds: float) -> None:
        """Note how long a request waited for the model."""
        self._of(self.families.queue_wait_seconds).observe(seconds)

    def waiting(self, rows: int) -> None:
        """Note how many rows wait now."""
        self._of(self.families.queue_depth).set(rows)

    def computed(self, seconds: float, rows: int, tokens: int) -> None:
        """Note one forward of the model."""
        self._of(self.families.inference_seconds).observe(seconds)
        self._of(self.families.batch_size).observe(rows)
        self.read(tokens)
        if self.forwards is not None:
            self.forwards.append((seconds, rows))

    def read(self, tokens: int) -> None:
        """Count tokens that the model read."""
        self._of(self.families.tokens).inc(tokens)

    def truncated(self, texts: int) -> None:
        """Count texts that lost their end."""
        self._of(self.families.truncations).inc(texts)

    def embeds(self, dimension: int) -> None:
        """Note the size of vectors."""
        self._of(self.families.dimension).set(dimension)

    def scored(self, scores: Sequence[float]) -> None:
        """Note the scores of one request."""
        histogram = self._of(self.families.score)
        for score in scores:
            histogram.observe(score)
            self._scores.add(score)

    def spent(self, worker_seconds: float, usd: float) -> None:
        """Note what one request took of the machine."""
        self.passed["request"] += worker_seconds
        self._add("request", worker_seconds, usd)
        self._costs.add(usd)

    def pass_time(self, phases: Mapping[str, float], price: Price) -> None:
        """Bring the machine's seconds and dollars up to those of its phases since start; what was counted stays.

        Args:
            phases: Seconds since start by `PHASES`; those of requests were counted by `spent`.
            price: Of the machine.
        """
        with self.families.lock:
            for phase in PHASES:
                more = phases[phase] - self.passed[phase]
                if phase != "request" and more > 0.0:
                    self.passed[phase] = phases[phase]
                    self._add(phase, more, price.usd(more))
        self._price_answers()

    def spent_besides(self, phase: str, seconds: float, usd: float) -> None:
        """Note seconds of a machine that tells of itself: those of `PHASES` that no request took."""
        self.passed[phase] += seconds
        self._add(phase, seconds, usd)
        self._price_answers()

    def _price_answers(self) -> None:
        gauge = self._of(self.families.cost_per_1k_usd)
        gauge.set(1000.0 * self._usd / self.answers if self.answers else 0.0)

    def _add(self, phase: str, seconds: float, usd: float) -> None:
        self._usd += usd
        self._of(self.families.worker_seconds, phase).inc(seconds)
        self._of(self.families.cost_usd, phase).inc(usd)
