"""Cases of the rules' unit tests: short files of series and what fires when, made into promtool's long ones.

A case says what is measured and which alerts there are at which moment, with the sentence that has the value. What an
alert always carries (severity, action, links) is added here, for promtool compares alerts whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from monitoring.rules.model import Alert
from retrieval.config.yaml_text import read_yaml
from retrieval.errors import ConfigError

Duration = Annotated[str, Field(pattern=r"^(\d+[smhdw])+$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Firing(_Part):
    """One alert that is expected.

    Attributes:
        labels: All but those that the rule sets.
        description: As people read it.
    """

    labels: dict[str, str] = {}
    description: str


class Moment(_Part):
    """What there is at a time; ``firing`` is empty where the alert must not be."""

    at: Duration
    firing: tuple[Firing, ...] = ()


class Sample(_Part):
    """Values of an expression at a time, by their series as Prometheus writes it."""

    at: Duration
    expression: str
    values: dict[str, float]


class Case(_Part):
    """One history.

    Attributes:
        name: What it shows.
        of: Labels of all its series.
        interval: Between their samples.
        series: Values by series, in promtool's notation; ``"0x80"`` in quotes, which YAML else takes for 128.
        alerts: Moments by alert.
        samples: Of recorded numbers.
    """

    name: str
    of: dict[str, str] = {}
    interval: Duration = "15s"
    series: dict[str, str]
    alerts: dict[str, tuple[Moment, ...]] = {}
    samples: tuple[Sample, ...] = ()


class CaseFile(_Part):
    """Cases of one file.

    Attributes:
        rules: Rules files that they need.
        evaluation_interval: 15 s as in the field; longer where hours or days are told.
        cases: Histories.
    """

    rules: tuple[str, ...]
    evaluation_interval: Literal["15s", "1m", "5m", "1h"] = "15s"
    cases: tuple[Case, ...]


def read_cases(folder: Path) -> dict[str, CaseFile]:
    """Every file of a folder by its name without ending.

    Raises:
        ConfigError: If one cannot be read or is not as it should be.
    """
    files = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            files[path.stem] = CaseFile.model_validate(read_yaml(path))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(map(str, first["loc"]))
            raise ConfigError(f"{path}: {key}: {first['msg']}; see monitoring/rules/cases.py") from error
    return files


def unit_tests(file: CaseFile, alerts: Mapping[str, Alert], page: str) -> dict[str, Any]:
    """A file of cases as promtool reads it.

    Args:
        file: The cases.
        alerts: Every alert there is, by name.
        page: What links begin with.

    Raises:
        ConfigError: If a case names an alert that there is not.
    """
    return {
        "rule_files": [f"../rules/{name}.yaml" for name in file.rules],
        "evaluation_interval": file.evaluation_interval,
        "group_eval_order": list(file.rules),  # else promtool takes another one each time
        "tests": [_test(case, alerts, page) for case in file.cases],
    }


def _test(case: Case, alerts: Mapping[str, Alert], page: str) -> dict[str, Any]:
    unknown = sorted(set(case.alerts) - set(alerts))
    if unknown:
        raise ConfigError(f"case {case.name!r}: no alert {unknown[0]}; known are {', '.join(sorted(alerts))}")
    checks = [
        {
            "eval_time": moment.at,
            "alertname": name,
            "exp_alerts": [_expected(alerts[name], firing, page) for firing in moment.firing],
        }
        for name, moments in case.alerts.items()
        for moment in moments
    ]
    samples = [
        {
            "expr": sample.expression,
            "eval_time": sample.at,
            "exp_samples": [{"labels": labels, "value": value} for labels, value in sample.values.items()],
        }
        for sample in case.samples
    ]
    return {
        "name": case.name,
        "interval": case.interval,
        "input_series": [
            {"series": _labelled(series, case.of), "values": values} for series, values in case.series.items()
        ],
        **({"alert_rule_test": checks} if checks else {}),
        **({"promql_expr_test": samples} if samples else {}),
    }


def _expected(alert: Alert, firing: Firing, page: str) -> dict[str, Any]:
    annotations = {"description": firing.description, **alert.annotations_of(firing.labels, page)}
    labels = {"severity": alert.severity.value, **alert.labels, **firing.labels}
    return {"exp_labels": labels, "exp_annotations": annotations}


def _labelled(series: str, of: Mapping[str, str]) -> str:
    """A series with the labels of its case, of which its own go first."""
    name, _, rest = series.partition("{")
    own = rest.rstrip("}")
    named = {part.partition("=")[0].strip() for part in own.split(",")}
    more = [f'{label}="{value}"' for label, value in of.items() if label not in named]
    return f"{name}{{{', '.join([own, *more] if own else more)}}}"
