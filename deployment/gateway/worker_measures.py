"""What workers that nobody can scrape tell with their answers, counted by the gateway under their endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deployment.api.handlers import BI_ENCODER_ACTIONS, CROSS_ENCODER_ACTIONS
from deployment.service_metrics import known_values
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.label_values import MOST_VERSIONS, OTHER, Build, Track
from monitoring.metrics import MetricFamilies
from retrieval.names import BI_ENCODER, CROSS_ENCODER

_MOST_FORWARDS, _MOST_SCORES = 64, 1024
_ACTIONS = {BI_ENCODER: BI_ENCODER_ACTIONS, CROSS_ENCODER: CROSS_ENCODER_ACTIONS}
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
    """Counts for one endpoint; answers without measures are those of services, which Prometheus scrapes itself."""

    def __init__(self, endpoint: Endpoint, families: MetricFamilies, version: str, track: Track = "stable") -> None:
        """Count into the gateway's families.

        Args:
            endpoint: Whose workers tell.
            families: The gateway's.
            version: Of the model that is expected to answer; its counters are there at 0 before it does.
            track: That is expected.
        """
        self._endpoint: Endpoint = endpoint
        self._families = families
        self._by_version: dict[tuple[Track, str], EndpointMetrics] = {}
        self._last = self._metrics_of(track, version, "")

    def count(self, action: str, seconds: float, output: Mapping[str, Any]) -> None:
        """Count an answer; measures that are not well formed are not counted.

        Args:
            action: That was asked for.
            seconds: Until the answer was here.
            output: The answer.
        """
        try:
            answer = _Answer.model_validate(output)
        except ValidationError:
            return
        metrics = self._last = self._metrics_of(answer.measures.track, answer.model_version, answer.index_version)
        metrics.answered(action, 200, seconds)
        metrics.spent(answer.cost.worker_seconds, answer.cost.usd)
        metrics.waited(answer.timings_ms.queue / 1000.0)
        metrics.truncated(answer.truncated_count)
        metrics.read(answer.tokens)
        if answer.dimension:
            metrics.embeds(answer.dimension)
        if self._endpoint == CROSS_ENCODER:
            metrics.scored(_scores(output))
        self._count_besides(metrics, answer.measures)

    def failed(self, action: str, status: int, code: str, seconds: float) -> None:
        """Count a job that failed, under the version that answered last."""
        self._last.failed(code)
        self._last.answered(action, status, seconds)

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
        if (track, version) not in self._by_version and len(self._by_version) >= MOST_VERSIONS:
            version = OTHER
        if (track, version) not in self._by_version:
            metrics = EndpointMetrics(self._endpoint, known_values(_ACTIONS[self._endpoint]), track, self._families)
            metrics.serves(Build(model_version=version, index=index))
            self._by_version[track, version] = metrics
        return self._by_version[track, version]


def _scores(output: Mapping[str, Any]) -> list[float]:
    """Scores of an answer's documents; none where one of them is no probability."""
    try:
        return [one.score for one in _Scores.model_validate(output).results if one.score is not None]
    except ValidationError:
        return []
