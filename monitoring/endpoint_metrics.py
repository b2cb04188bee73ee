"""What a service counts: its own metrics under its own labels, whose values are a bounded set whatever clients send."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from monitoring.cost import Price
from monitoring.metrics import PHASES, MetricFamilies
from monitoring.windows import Window

OTHER = "other"
"""Stands for any value of a label that is not known beforehand."""
LOADING = "loading"
"""Version of the model before there is one."""
MOST_VERSIONS = 8
"""Versions of a model that one process tells apart; a further one counts as `OTHER`."""
_LONGEST_VERSION = 64
Track = Literal["stable", "canary"]


@dataclass(frozen=True, kw_only=True)
class Build:
    """What a process serves.

    Attributes:
        model_version: As its answers have it.
        retriever: Version of the retriever that the model belongs to.
        index: Version of the index; empty where there is none.
        data: Version of the training data.
        code: Commit of the training.
        articles: That can be found; None without an index.
        index_created: Unix time of the index, in seconds; None where it is not known.
    """

    model_version: str
    retriever: str = ""
    index: str = ""
    data: str = ""
    code: str = ""
    articles: int | None = None
    index_created: float | None = None


@dataclass(frozen=True)
class KnownValues:
    """Values of labels whose first count must not be lost: Prometheus sees no increase in a series that begins with it.

    Attributes:
        actions: Of requests.
        statuses: Of answers.
        errors: Codes.
        rejections: Reasons.
        fallbacks: Reasons.
    """

    actions: Sequence[str] = ()
    statuses: Sequence[str] = ()
    errors: Sequence[str] = ()
    rejections: Sequence[str] = ()
    fallbacks: Sequence[str] = ()


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
    ) -> None:
        """Begin at 0; ``clock`` gives monotonic seconds to what is told over a window."""
        self.endpoint, self.track, self.model_version = endpoint, track, LOADING
        self.families, self.answers, self._known = families or MetricFamilies(), 0, known
        self._actions, self._versions, self._clock = frozenset(known.actions), {LOADING}, clock
        self._own = (endpoint, track, LOADING)
        self._build: tuple[str, ...] | None = None
        self._costs, self._scores = Window(clock), Window(clock)
        self._usd, self.passed = 0.0, dict.fromkeys(PHASES, 0.0)
        self.forwards: deque[tuple[float, int]] | None = None
        self._begin_at_zero()

    def serves(self, build: Build) -> None:
        """Count for another model from now on; gauges of the one before go, counters stay."""
        with self.families.lock:
            before, self.model_version = self._own, self._bounded(build.model_version)
            self._own = (self.endpoint, self.track, self.model_version)
            if before != self._own:
                self._forget(before)
                self._costs, self._scores = Window(self._clock), Window(self._clock)
            self._begin_at_zero()
            self._tell(build)

    def _tell(self, build: Build) -> None:
        families, texts = self.families, (build.retriever, build.index, build.data, build.code)
        if self._build is not None:
            families.build_info.remove(*self._build)
        self._build = (*self._own, *(text[:_LONGEST_VERSION] for text in texts))
        families.build_info.labels(*self._build).set(1)
        if build.articles is not None:
            families.index_articles.labels(*self._own).set(build.articles)
        if build.index_created is not None:
            families.index_created.labels(*self._own).set(build.index_created)

    def _bounded(self, version: str) -> str:
        """The version as a value of a label."""
        short = version[:_LONGEST_VERSION] or "unknown"
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

    def answered(self, action: str, status: int, seconds: float, trace_id: str | None = None) -> None:
        """Count a request that was answered; its trace, if there is one, is the bucket's exemplar."""
        self.answers += 1
        known = action if action in self._actions else OTHER
        self.families.requests.labels(*self._own, known, str(status)).inc()
        exemplar = {"trace_id": trace_id} if trace_id else None
        self.families.request_seconds.labels(*self._own, known).observe(seconds, exemplar)

    def failed(self, code: str) -> None:
        """Count a request that was answered with an error."""
        self.families.errors.labels(*self._own, code if code in self._known.errors else OTHER).inc()

    def rejected(self, reason: str) -> None:
        """Count a request that was dropped before any compute."""
        self.families.rejections.labels(*self._own, reason).inc()

    def fell_back(self, reason: str) -> None:
        """Count a request that was answered without the reranking it asked for."""
        self.families.fallbacks.labels(*self._own, reason).inc()

    def started_cold(self) -> None:
        """Count a model that was loaded from nothing."""
        self.families.cold_starts.labels(*self._own).inc()

    def waited(self, seconds: float) -> None:
        """Note how long a request waited for the model."""
        self.families.queue_wait_seconds.labels(*self._own).observe(seconds)

    def waiting(self, rows: int) -> None:
        """Note how many rows wait now."""
        self.families.queue_depth.labels(*self._own).set(rows)

    def computed(self, seconds: float, rows: int, tokens: int) -> None:
        """Note one forward of the model."""
        self.families.inference_seconds.labels(*self._own).observe(seconds)
        self.families.batch_size.labels(*self._own).observe(rows)
        self.read(tokens)
        if self.forwards is not None:
            self.forwards.append((seconds, rows))

    def read(self, tokens: int) -> None:
        """Count tokens that the model read."""
        self.families.tokens.labels(*self._own).inc(tokens)

    def truncated(self, texts: int) -> None:
        """Count texts that lost their end."""
        self.families.truncations.labels(*self._own).inc(texts)

    def embeds(self, dimension: int) -> None:
        """Note the size of vectors."""
        self.families.dimension.labels(*self._own).set(dimension)

    def scored(self, scores: Sequence[float]) -> None:
        """Note the scores of one request."""
        histogram = self.families.score.labels(*self._own)
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
        gauge = self.families.cost_per_1k_usd.labels(*self._own)
        gauge.set(1000.0 * self._usd / self.answers if self.answers else 0.0)

    def _add(self, phase: str, seconds: float, usd: float) -> None:
        self._usd += usd
        self.families.worker_seconds.labels(*self._own, phase).inc(seconds)
        self.families.cost_usd.labels(*self._own, phase).inc(usd)
