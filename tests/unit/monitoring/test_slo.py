"""The SLO file: what it says is what the project's has, and a mistake is one line that names file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.slo import SLO_FILE, load_service_levels
from retrieval.errors import ConfigError


@pytest.fixture
def written(tmp_path: Path):
    """Writes the project's file with one key changed, which None takes out, and gives its path."""

    def write(key: str = "", value: object = None) -> Path:
        values: dict[str, Any] = yaml.safe_load(SLO_FILE.read_text(encoding="utf-8"))
        *sections, name = key.split(".")
        section = values
        for one in sections:
            section = section[one]
        if value is None:
            section.pop(name, None)
        else:
            section[name] = value
        path = tmp_path / "slo.yaml"
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return path

    return write


def test_the_projects_file_is_read_and_cannot_be_changed():
    levels = load_service_levels()
    assert levels.availability.budget_share == 0.005
    assert list(levels.objectives) == ["availability", "latency", "reranked", "freshness"]
    with pytest.raises(ValueError, match="frozen"):
        levels.window_days = 7


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("availibility", {}, "unknown key availibility; did you mean availability?"),
        ("latency.treshold_seconds", 1.0, "unknown key latency.treshold_seconds; did you mean threshold_seconds?"),
        (
            "latency.threshold_seconds",
            1.5,
            "latency.threshold_seconds: got 1.5; must be a bound of the buckets: 0.001,",
        ),
        ("queue.wait_p95_seconds", 0.3, "queue.wait_p95_seconds: got 0.3; must be a bound of the buckets"),
        ("availability.objective_share", 99.5, "availability.objective_share: got 99.5; input should be less than 1"),
        ("availability.objective_share", 1.0, "availability.objective_share: got 1.0; input should be less than 1"),
        ("availability.objective_share", "0.99", "availability.objective_share: got '0.99'; input should be a valid"),
        (
            "availability.objective_share",
            0.9,
            "availability.objective_share: got 0.9; must be above 0.9306: the fastest",
        ),
        ("availability.pages", 1, "availability.pages: got 1; input should be a valid boolean"),
        ("availability", 0.99, "availability: got 0.99; write a section with the keys objective_share, pages"),
        ("expected_jobs", ["gatway"], "expected_jobs.0: got 'gatway'; input should be 'gateway', 'bi-encoder' or"),
        ("minimum_bad_requests", 0, "minimum_bad_requests: got 0; input should be greater than or equal to 1"),
        ("cost.budget_usd_a_month", float("inf"), "cost.budget_usd_a_month: got inf; input should be a finite number"),
        (
            "score_drift.reference_hours",
            1.0,
            "score_drift: reference_hours 1 must be at least two times recent_minutes 60",
        ),
        ("pipelines.longest_gap_days", {"a b": 1}, "pipelines.longest_gap_days.a b: got 'a b'; string should match"),
        ("cold_starts.most", None, "cold_starts.most: missing; write it as slo.yaml of the project does"),
        ("freshness", None, "freshness: missing;"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_key(written, key: str, value: object, said: str):
    path = written(key, value)
    with pytest.raises(ConfigError) as raised:
        load_service_levels(path)
    assert str(raised.value).startswith(f"{path}: {said}")
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_or_holds_no_keys_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml: no such configuration file"):
        load_service_levels(tmp_path / "gone.yaml")
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"empty\.yaml: window_days: missing"):
        load_service_levels(tmp_path / "empty.yaml")
