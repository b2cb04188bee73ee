"""The service level objectives and limits of ``slo.yaml``: read, checked, and said in the words of Prometheus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from monitoring.metrics import SECONDS
from retrieval.config.file import did_you_mean
from retrieval.config.yaml_text import read_yaml
from retrieval.errors import ConfigError

SLO_FILE = Path(__file__).with_name("slo.yaml")
SERVICES = ("gateway", "bi-encoder", "cross-encoder")
"""Scrape jobs of what answers requests; each is called like its endpoint."""
SHORTEST_BURN_SHARE = 0.02
"""Share of the budget that is gone when the fastest burn alert is due after one hour."""
Job = Literal["gateway", "bi-encoder", "cross-encoder"]
Share = Annotated[float, Field(gt=0.0, lt=1.0, strict=True)]
"""Between 0 and 1, neither of them: nothing can be at fault in all requests, and no objective is perfection."""
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]


def _is_bound(value: float) -> float:
    if value not in SECONDS:
        raise ValueError(f"must be a bound of the buckets: {', '.join(f'{one:g}' for one in SECONDS)}")
    return value


Bound = Annotated[Positive, AfterValidator(_is_bound)]
"""Seconds; how many took longer is known exactly."""


class Limits(BaseModel):
    """What every section shares: frozen, and no key but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RequestObjective(Limits):
    """An objective on a share of requests.

    Attributes:
        objective_share: Of good ones among all.
        pages: Whether budget that goes in hours wakes somebody; else it is a ticket.
    """

    objective_share: Share
    pages: Annotated[bool, Field(strict=True)]

    @property
    def budget_share(self) -> float:
        """Share of requests that may be bad."""
        return round(1.0 - self.objective_share, 12)


class LatencyObjective(RequestObjective):
    """Requests answered in time.

    Attributes:
        threshold_seconds: What in time means; a bound of the histogram's buckets.
        bulk_actions: Not counted.
    """

    threshold_seconds: Bound
    bulk_actions: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], ...], Field(min_length=1)]


class FreshnessObjective(Limits):
    """An index that is young enough; ``objective_share`` is of time."""

    objective_share: Share
    index_age_days: Positive

    @property
    def budget_share(self) -> float:
        """Share of time in which it may be too old."""
        return round(1.0 - self.objective_share, 12)


class ErrorLimits(Limits):
    """Shares of requests answered with an error of ours: of 5 minutes, and of 1 minute."""

    bad_share: Share
    outage_share: Share


class LatencyLimits(Limits):
    """The 95th percentile of 5 minutes."""

    seconds: Bound


class QueueLimits(Limits):
    """Of 5 minutes: share of requests that the queue refuses, 95th percentile of the wait."""

    rejected_share: Share
    wait_p95_seconds: Bound


class ColdStartLimits(Limits):
    """Cold starts of one endpoint."""

    most: Count
    within_minutes: Count


class ScoreDriftLimits(Limits):
    """When the scores of lately are not those of before.

    Attributes:
        distance: Greatest distance between the two cumulative distributions.
        minimum_scores: On each side.
        recent_minutes: What lately means.
        reference_hours: How far before that.
    """

    distance: Share
    minimum_scores: Count
    recent_minutes: Count
    reference_hours: Positive

    @model_validator(mode="after")
    def _longer(self) -> ScoreDriftLimits:
        if self.reference_hours * 60 < 2 * self.recent_minutes:
            raise ValueError(
                f"reference_hours {self.reference_hours:g} must be at least two times recent_minutes"
                f" {self.recent_minutes}; take more hours"
            )
        return self


class CostLimits(Limits):
    """Of all endpoints together."""

    budget_usd_a_month: Positive


class PipelineLimits(Limits):
    """Days between two successes, by pipeline."""

    longest_gap_days: dict[Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")], Positive]


class ServiceLevels(Limits):
    """The whole file.

    Attributes:
        window_days: What error budgets are of.
        minimum_bad_requests: Fewer raise no alert on a share of requests.
        expected_jobs: Scrape jobs that must have a target.
    """

    window_days: Annotated[int, Field(ge=7, le=90, strict=True)]
    minimum_bad_requests: Count
    expected_jobs: tuple[Job, ...]
    availability: RequestObjective
    latency: LatencyObjective
    reranked: RequestObjective
    freshness: FreshnessObjective
    errors: ErrorLimits
    latency_p95: LatencyLimits
    queue: QueueLimits
    cold_starts: ColdStartLimits
    score_drift: ScoreDriftLimits
    cost: CostLimits
    pipelines: PipelineLimits

    @model_validator(mode="after")
    def _burn_can_be_seen(self) -> ServiceLevels:
        fastest = SHORTEST_BURN_SHARE * self.window_days * 24
        for name, objective in self.request_objectives.items():
            if fastest * objective.budget_share >= 1.0:
                raise ValueError(
                    f"{name}.objective_share: got {objective.objective_share:g}; must be above"
                    f" {1 - 1 / fastest:.4g}: the fastest alert is due at {fastest:g} times the budget, which cannot be"
                    " more than all requests"
                )
        return self

    @property
    def request_objectives(self) -> dict[str, RequestObjective]:
        """Those on requests, by name."""
        return {"availability": self.availability, "latency": self.latency, "reranked": self.reranked}

    @property
    def objectives(self) -> dict[str, RequestObjective | FreshnessObjective]:
        """All, by name."""
        return {**self.request_objectives, "freshness": self.freshness}


def load_service_levels(path: Path = SLO_FILE) -> ServiceLevels:
    """Read a file of objectives and limits.

    Args:
        path: YAML; every key has to be there, for a limit that nobody wrote down is one that nobody knows.

    Raises:
        ConfigError: If the file is missing or no YAML, or a key or value is wrong; one line that names file and key.
    """
    values = read_yaml(path)
    _check_keys(values, ServiceLevels, str(path), "")
    try:
        return ServiceLevels.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explained(error, path)) from error


def _check_keys(values: dict[str, Any], section: type[BaseModel], source: str, prefix: str) -> None:
    """Refuse the first key that a section does not have, and the first that it lacks."""
    fields = section.model_fields
    for name in values:
        if name not in fields:
            raise ConfigError(f"{source}: unknown key {prefix}{name}{did_you_mean(str(name), list(fields))}")
    for name, field in fields.items():
        if name not in values:
            raise ConfigError(f"{source}: {prefix}{name}: missing; write it as {SLO_FILE.name} of the project does")
        inner, kind = values[name], field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if not isinstance(inner, dict):
                keys = ", ".join(kind.model_fields)
                raise ConfigError(f"{source}: {prefix}{name}: got {inner!r}; write a section with the keys {keys}")
            _check_keys(inner, kind, source, f"{prefix}{name}.")


def _explained(error: ValidationError, path: Path) -> str:
    """The first complaint as one line."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"] if part != "[key]")
    message = first["msg"].removeprefix("Value error, ")
    if not key:  # of the file as a whole, and names the key itself
        return f"{path}: {message}"
    got = "" if isinstance(first["input"], dict) else f"got {first['input']!r}; "
    return f"{path}: {key}: {got}{message[0].lower()}{message[1:]}"
