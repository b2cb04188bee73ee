"""Headline numbers of several runs with their intervals, and the table of them for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from retrieval.errors import EvaluationError
from retrieval.evaluation.metrics import Evaluation
from retrieval.evaluation.significance import Interval, PairedDifference, bootstrap_interval, paired_bootstrap

HEADLINE = ("mrr@10", "ndcg@10", "recall@1", "recall@10", "recall@100")
HEADLINE_CUTOFFS = (1, 10, 100)
"""Ranks that tables and gates look at, whatever else is measured."""
LABELS: Mapping[str, str] = {
    "bm25": "BM25",
    "dense": "Bi-encoder",
    "zero-shot": "Bi-encoder gốc",
    "mix": "BM25 + bi-encoder gốc",
    "trained": "Bi-encoder đã huấn luyện",
    "hybrid": "Kết hợp BM25 + bi-encoder",
    "reranked": "Xếp hạng lại",
}
_NAMES = {
    "mrr": "MRR",
    "ndcg": "nDCG",
    "recall": "Recall",
    "hit_rate": "HitRate",
    "precision": "Precision",
    "map": "MAP",
}
_CELL = 15
_NAME = 14


def measured_cutoffs(asked: Iterable[int]) -> list[int]:
    """The ranks asked for and those that tables and gates look at, in order."""
    return sorted({*asked, *HEADLINE_CUTOFFS})


@dataclass(frozen=True)
class SummaryRow:
    """One run's headline numbers.

    Attributes:
        name: Tag of the run.
        queries: Queries behind each mean.
        intervals: Mean and bounds by metric name.
    """

    name: str
    queries: int
    intervals: Mapping[str, Interval]


def metric_label(metric: str) -> str:
    """A metric's name as papers write it: ``ndcg@10`` becomes ``nDCG@10``."""
    name, _, cutoff = metric.partition("@")
    return f"{_NAMES.get(name, name)}@{cutoff}" if cutoff else _NAMES.get(name, name)


def summarise(
    evaluations: Sequence[Evaluation], samples: int, seed: int, metrics: Sequence[str] = HEADLINE
) -> tuple[SummaryRow, ...]:
    """Means with 95 % bootstrap intervals, in the order given.

    Raises:
        EvaluationError: If a metric was not computed.
    """
    return tuple(
        SummaryRow(
            evaluation.name,
            len(evaluation.qids),
            {metric: bootstrap_interval(evaluation.values(metric), samples, seed) for metric in metrics},
        )
        for evaluation in evaluations
    )


def differences_to(
    baseline: Evaluation,
    evaluations: Sequence[Evaluation],
    samples: int,
    seed: int,
    metrics: Sequence[str] = HEADLINE,
) -> dict[str, dict[str, PairedDifference]]:
    """Each run minus the baseline, by run and metric; the baseline itself is left out.

    Raises:
        EvaluationError: If a run judged other queries than the baseline, or a metric was not computed.
    """
    others = [evaluation for evaluation in evaluations if evaluation.name != baseline.name]
    for other in others:
        if other.qids != baseline.qids:
            raise EvaluationError(
                f"runs {other.name} and {baseline.name}: {len(other.qids)} and {len(baseline.qids)} queries, not the"
                " same in the same order; align them with select"
            )
    return {
        other.name: {
            metric: paired_bootstrap(other.values(metric), baseline.values(metric), samples, seed) for metric in metrics
        }
        for other in others
    }


def _short(value: float) -> str:
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0.") else f"{value:.2f}"


def summary_table(evaluations: Sequence[Evaluation], samples: int, seed: int, metrics: Sequence[str] = HEADLINE) -> str:
    """The table a person reads at the end of a run: a row a run, mean and 95 % interval a metric, within 100 columns.

    Raises:
        EvaluationError: If there is no run, or a metric was not computed.
    """
    if not evaluations:
        raise EvaluationError("summary: no evaluations; give at least one run")
    rows = summarise(evaluations, samples, seed, metrics)
    head = f"{'':{_NAME}}" + "".join(f"  {metric_label(metric):<{_CELL}}" for metric in metrics)
    lines = [head.rstrip(), "─" * (_NAME + (_CELL + 2) * len(metrics))]
    for row in rows:
        cells = (
            f"{interval.mean:.3f} {_short(interval.low)}–{_short(interval.high)}" for interval in row.intervals.values()
        )
        name = row.name if len(row.name) <= _NAME else row.name[: _NAME - 1] + "…"
        lines.append((f"{name:{_NAME}}" + "".join(f"  {cell:<{_CELL}}" for cell in cells)).rstrip())
    counts = sorted({row.queries for row in rows})
    lines.append(f"{' to '.join(map(str, counts[:: max(1, len(counts) - 1)]))} queries; 95 % bootstrap intervals")
    return "\n".join(lines)
