"""The metrics of one run of a pipeline, in Prometheus's text format.

Each name has one type for ever: a Pushgateway refuses a name that another group holds with another type. Samples carry
no time of their own, which it refuses as well; when the run ended is a metric.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

NAMES = {
    "pipeline_run_success": ("gauge", "1 if the last run ended well, 0 if it failed or was interrupted"),
    "pipeline_run_duration_seconds": ("gauge", "How long the last run took"),
    "pipeline_run_timestamp_seconds": ("gauge", "When the last run ended, Unix time"),
    "pipeline_last_success_timestamp_seconds": ("gauge", "When the last run that ended well did so, Unix time"),
    "pipeline_evaluation_value": ("gauge", "What the last run that ended well measured on its queries"),
    "pipeline_gate_passed": ("gauge", "1 if the last run that ended well passed the gate, 0 if the gate refused it"),
    "pipeline_pushes_dropped_total": ("counter", "Pushes that no Pushgateway took"),
}
"""Type and meaning of every metric that is pushed."""


@dataclass(frozen=True)
class EvaluationValue:
    """A number that a run measured.

    Attributes:
        metric: Such as ``mrr@10``.
        stage: Of the search: ``bm25``, ``hybrid``, ``reranked`` ...
        queries: Kind of the queries: ``titles`` or ``questions``.
        value: Mean over them.
    """

    metric: str
    stage: str
    queries: str
    value: float


@dataclass(frozen=True)
class RunMetrics:
    """What is told about one run.

    Attributes:
        pipeline: Name of the pipeline, never of the run.
        succeeded: Whether it ended well; a gate that refused is no failure.
        duration_seconds: From its start to its end.
        ended_at: Unix time in seconds.
        evaluation: What it measured.
        gates: Whether each gate was passed.
    """

    pipeline: str
    succeeded: bool
    duration_seconds: float
    ended_at: float
    evaluation: tuple[EvaluationValue, ...] = ()
    gates: Mapping[str, bool] = field(default_factory=dict)

    def text(self, dropped: int) -> str:
        """The run in the text format.

        A failed run says nothing under the names that only a run that ended well has. What was pushed under them
        before stays, because a push replaces only the names in it.

        Args:
            dropped: Pushes of this pipeline that were dropped so far.
        """
        families: dict[str, list[tuple[dict[str, str], float]]] = {
            "pipeline_run_success": [({}, float(self.succeeded))],
            "pipeline_run_duration_seconds": [({}, self.duration_seconds)],
            "pipeline_run_timestamp_seconds": [({}, self.ended_at)],
            "pipeline_pushes_dropped_total": [({}, float(dropped))],
        }
        if self.succeeded:
            measured = [
                ({"metric": one.metric, "stage": one.stage, "queries": one.queries}, one.value)
                for one in self.evaluation
                if math.isfinite(one.value)
            ]
            families |= {
                "pipeline_last_success_timestamp_seconds": [({}, self.ended_at)],
                "pipeline_evaluation_value": measured,
                "pipeline_gate_passed": [({"gate": name}, float(passed)) for name, passed in self.gates.items()],
            }
        return "".join(_family(name, samples) for name, samples in families.items() if samples)


def _family(name: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> str:
    kind, says = NAMES[name]
    rows = [f"# HELP {name} {says}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        rows.append(f"{name}{{{inside}}} {value!r}" if inside else f"{name} {value!r}")
    return "\n".join([*rows, ""])


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
