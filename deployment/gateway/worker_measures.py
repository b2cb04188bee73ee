"""What workers that nobody can scrape tell with their answers, counted by the gateway under their endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deployment.errors import STATUS_OF, UpstreamFault
from deployment.service_metrics import CLIENT_GONE, known_values
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.label_values import LONGEST_VERSION, OTHER, Build, Track
from monitoring.metrics import MetricFamilies
from retrieval.names import BI_ENCODER, CROSS_ENCODER

_MOST_FORWARDS, _MOST_SCORES = 64, 1024
MOST_VERSIONS = 4
"""Tracks and versions of an endpoint told apart: two endpoints' and the gateway's own make less than 3,000 series."""
_ACTIONS = {BI_ENCODER: ("search",), CROSS_ENCODER: ("rerank",)}  # what the gateway asks
Endpoint = Literal["bi-encoder", "cross-encoder"]
Amount = Annotated[float, Field(ge=0.0, le=1e7, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=1 << 31)]
Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class _Lenient(BaseModel):
    """Workers may say more than is counted."""

    model_config = ConfigDict(extra="ignore")


class _Besides(_Lenient):
    cold_start: Amount = 0.0
    idle: Amount = 0.0


class _Measures(_Lenient):
    track: Track = "stable"
    cold_starts: Annotated[int, Field(ge=0, le=100)] = 0
    worker_seconds: _Besides = _Besides()
    usd: _Besides = _Besides()
    forwards: Annotated[list[tuple[Amount, Count]], Field(max_length=_MOST_FORWARDS)] = []


class _Timings(_Lenient):
    queue: Amount = 0.0


class _Cost(_Lenient):
    worker_seconds: Amount = 0.0
    usd: Amount = 0.0


class _Scored(_Lenient):
    score: Probability | None = None


class _Answer(_Lenient):
    model_version: str = ""
    index_version: str = ""
    dimension: Count | None = None
    tokens: Count = 0
    truncated_count: Count = 0
    timings_ms: _Timings = _Timings()
    cost: _Cost = _Cost()
    measures: _Measures


class _Scores(_Lenient):
    results: Annotated[list[_Scored], Field(max_length=_MOST_SCORES)] = []


class WorkerMeasures:
    """Counts for one endpoint."""

    def __init__(
        self, endpoint: Endpoint, families: MetricFamilies, version: str, track: Track = "stable", index: str = ""
    ) -> None:
        """Count into the gateway's families.

        Args:
            endpoint: Whose workers tell.
            families: The gateway's.
            version: Of the model that is expected to answer; its counters are there at 0 before it does.
            track: That is expected.
            index: That is expected.
        """
        self._endpoint: Endpoint = endpoint
        self._families = families
        self._by_version: dict[tuple[Track, str], EndpointMetrics] = {}
        self._index: dict[tuple[Track, str], str] = {}
        self._last = self._metrics_of(track, version, index)

    def count(self, action: str, seconds: float, output: Mapping[str, Any]) -> None:
        """Count an answer, without its measures if they are not well formed or none came.

        Args:
            action: That was asked for.
            seconds: Until the answer was here.
            output: The answer.
        """
        try:
            answer = _Answer.model_validate(output)
        except ValidationError:
            self._last.answered(action, 200, seconds)
            return
        metrics = self._last = self._metrics_of(answer.measures.track, answer.model_version, answer.index_version)
        metrics.answered(action, 200, seconds)
        self._count_told(metrics, answer, output)

    def count_late(self, output: Mapping[str, Any]) -> None:
        """Count what a worker tells with an answer that came too late; the request was counted as failed."""
        with suppress(ValidationError):
            answer = _Answer.model_validate(output)
            metrics = self._metrics_of(answer.measures.track, answer.model_version, answer.index_version)
            self._count_told(metrics, answer, output)

    def _count_told(self, metrics: EndpointMetrics, answer: _Answer, output: Mapping[str, Any]) -> None:
        metrics.spent(answer.cost.worker_seconds, answer.cost.usd)
        metrics.waited(answer.timings_ms.queue / 1000.0)
        metrics.truncated(answer.truncated_count)
        metrics.read(answer.tokens)
        if answer.dimension:
            metrics.embeds(answer.dimension)
        if self._endpoint == CROSS_ENCODER:
            metrics.scored(_scores(output))
        self._count_besides(metrics, answer.measures)

    def failed(self, action: str, code: str, seconds: float) -> None:
        """Count a job that failed, under the version that answered last."""
        self._last.failed(code)
        self._last.answered(action, STATUS_OF.get(code, UpstreamFault.status), seconds)

    def left(self, action: str, seconds: float) -> None:
        """Count a job that nobody waited for any longer, as a service counts a client that left."""
        self._last.answered(action, CLIENT_GONE, seconds)

    @staticmethod
    def _count_besides(metrics: EndpointMetrics, measures: _Measures) -> None:
        for _ in range(measures.cold_starts):
            metrics.started_cold()
        metrics.spent_besides("cold_start", measures.worker_seconds.cold_start, measures.usd.cold_start)
        metrics.spent_besides("idle", measures.worker_seconds.idle, measures.usd.idle)
        for seconds, rows in measures.forwards:
            metrics.computed(seconds, rows, 0)

    def _metrics_of(self, track: Track, version: str, index: str) -> EndpointMetrics:
        """Those of the track and version, of which only so many are told apart."""
        version = version[:LONGEST_VERSION]
        if (track, version) not in self._by_version and len(self._by_version) >= MOST_VERSIONS:
            version = OTHER
        key = (track, version)
        if key not in self._by_version:
            known, build = known_values(_ACTIONS[self._endpoint]), Build(model_version=version, index=index)
            self._by_version[key] = EndpointMetrics(self._endpoint, known, track, self._families, build=build)
            self._index[key] = index
        if index and self._index[key] != index:
            self._by_version[key].serves(Build(model_version=version, index=index))
            self._index[key] = index
        return self._by_version[key]


def _scores(output: Mapping[str, Any]) -> list[float]:
    """Scores of an answer's documents; none where one of them is no probability."""
    try:
        return [one.score for one in _Scores.model_validate(output).results if one.score is not None]
    except ValidationError:
        return []
