"""Writes a report folder: metrics.json, predictions.csv, failed_cases.csv and the self-contained report.html."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.config.schema import EvaluationConfig
from retrieval.errors import EvaluationError
from retrieval.evaluation import plots
from retrieval.evaluation.cases import (
    CASE_COLUMNS,
    PREDICTION_COLUMNS,
    case_rows,
    failed_cases,
    prediction_rows,
    queries_of,
)
from retrieval.evaluation.metrics import Evaluation, Judged, evaluate, judge
from retrieval.evaluation.page import PageContent, render_page, run_label
from retrieval.evaluation.reranking import RerankingEvaluation, split_scores
from retrieval.evaluation.significance import PairedDifference
from retrieval.evaluation.summary import SummaryRow, differences_to, measured_cutoffs, summarise, summary_table
from retrieval.folders import write_file
from retrieval.records import Corpus, Decision, Query, TrecRun, qrels_of

__all__ = ["Extra", "Report", "summary_table", "write_report"]


@dataclass(frozen=True)
class Extra:
    """What a report may show besides its runs.

    Attributes:
        baseline: Tag of the run the others are compared with; empty takes the first.
        reranking: Reranker metrics.
        decision: Verdict of the gates.
        losses: Training curves by label, one value a step.
        lengths: Text lengths by label.
        length_unit: What ``lengths`` counts.
        facts: Lines under the title, such as the model version.
        seed: Of the bootstrap.
    """

    baseline: str = ""
    reranking: RerankingEvaluation | None = None
    decision: Decision | None = None
    losses: Mapping[str, Sequence[float]] = field(default_factory=dict)
    lengths: Mapping[str, Sequence[int]] = field(default_factory=dict)
    length_unit: str = "âm tiết"
    facts: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Report:
    """A written report.

    Attributes:
        folder: Where its files lie.
        title: Heading of the page.
        evaluations: By run.
        metrics: What metrics.json holds.
        html: The page.
    """

    folder: Path
    title: str
    evaluations: Mapping[str, Evaluation]
    metrics: Mapping[str, Any]
    html: str


def write_report(
    folder: Path,
    title: str,
    runs: Sequence[TrecRun],
    queries: Sequence[Query],
    corpus: Corpus,
    config: EvaluationConfig,
    extra: Extra | None = None,
) -> Report:
    """Measure runs over the same questions and write the report; other files in the folder are left alone.

    The last run is the main one: predictions, worst cases and score histogram are its.

    Args:
        folder: Made where missing.
        title: Heading of the page.
        runs: At least one, with distinct names and the same queries in the same order.
        queries: The questions with their gold articles; more than the runs' are ignored.
        corpus: Where titles are looked up.
        config: Cutoffs, bootstrap samples and number of cases.
        extra: What else to show.

    Raises:
        EvaluationError: If the runs differ in queries, share a name, or a query is unknown or has no gold article.
    """
    extra = extra or Extra()
    _check_runs(runs, extra.baseline)
    asked = queries_of(runs[0], queries)
    qrels = qrels_of(asked)
    cutoffs = measured_cutoffs(config.cutoffs)
    evaluations = {run.name: evaluate(run, qrels, cutoffs) for run in runs}
    judged = {run.name: judge(run, qrels) for run in runs}
    main = runs[-1]
    rows, samples = list(evaluations.values()), config.bootstrap_samples
    baseline = extra.baseline or runs[0].name
    content = PageContent(
        title=title,
        main=main.name,
        baseline=baseline,
        articles=len(corpus.articles),
        summary=summarise(rows, samples, extra.seed),
        differences=differences_to(evaluations[baseline], rows, samples, extra.seed),
        by_source=_by_source(rows, asked),
        evaluations=rows,
        cases=failed_cases(main, judged[main.name], asked, corpus, config.failed_cases),
        pictures={},
        reranking=extra.reranking,
        decision=extra.decision,
        facts=extra.facts,
    )
    metrics = _metrics(content)
    _write_text(folder / "metrics.json", json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    _write_csv(folder / "predictions.csv", PREDICTION_COLUMNS, prediction_rows(main, asked, corpus))
    _write_csv(folder / "failed_cases.csv", CASE_COLUMNS, case_rows(content.cases))
    html = render_page(replace(content, pictures=_pictures(main, judged, extra)))  # last: the figures are on disk now
    _write_text(folder / "report.html", html)
    return Report(folder, title, evaluations, metrics, html)


def _check_runs(runs: Sequence[TrecRun], baseline: str) -> None:
    names = [run.name for run in runs]
    if not runs or len(set(names)) != len(names):
        raise EvaluationError(f"report: runs {names}; give at least one, each with its own name")
    if baseline and baseline not in names:
        raise EvaluationError(f"report: baseline {baseline} is not among the runs {', '.join(names)}; name one of them")
    for run in runs:
        if run.qids != runs[0].qids:
            raise EvaluationError(
                f"report: runs {runs[0].name} and {run.name} have {len(runs[0].qids)} and {len(run.qids)} queries,"
                " not the same in the same order; align them with run.select"
            )


def _by_source(evaluations: Sequence[Evaluation], queries: Sequence[Query]) -> dict[str, list[Evaluation]]:
    groups: dict[str, list[str]] = {}
    for query in queries:
        groups.setdefault(query.source, []).append(query.qid)
    return {source: [evaluation.select(qids) for evaluation in evaluations] for source, qids in groups.items()}


def _recall_curve(judged: Judged) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(K,) mean recall at ranks 1 to K."""
    found = np.cumsum(judged.relevance, axis=1) / judged.relevant_counts[:, None]  # (Q, K)
    return np.asarray(found.mean(axis=0), np.float64)


def _pictures(main: TrecRun, judged: Mapping[str, Judged], extra: Extra) -> dict[str, str]:
    pictures = {
        "recall": plots.recall_curves({run_label(name): _recall_curve(one) for name, one in judged.items()}),
        "scores": plots.score_histogram(*split_scores(main, judged[main.name])),
    }
    if extra.losses:
        pictures["loss"] = plots.loss_curve(extra.losses)
    if extra.lengths:
        pictures["lengths"] = plots.length_histogram(extra.lengths, extra.length_unit)
    return pictures


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _metrics(content: PageContent) -> dict[str, Any]:
    """What metrics.json holds; a value that is undefined is null."""
    rows: Mapping[str, SummaryRow] = {row.name: row for row in content.summary}
    differences: Mapping[str, Mapping[str, PairedDifference]] = content.differences
    metrics: dict[str, Any] = {
        "title": content.title,
        "main_run": content.main,
        "baseline": content.baseline,
        "queries": len(content.evaluations[0].qids),
        "articles": content.articles,
        "facts": dict(content.facts),
        "runs": {
            one.name: {
                "mean": dict(one.mean),
                "interval_95": {metric: [i.low, i.high] for metric, i in rows[one.name].intervals.items()},
            }
            for one in content.evaluations
        },
        "by_source": {
            source: {"queries": len(group[0].qids), "runs": {one.name: dict(one.mean) for one in group}}
            for source, group in content.by_source.items()
        },
        "differences": {
            run: {metric: asdict(difference) for metric, difference in by_metric.items()}
            for run, by_metric in differences.items()
        },
    }
    if content.reranking:
        metrics["reranking"] = {name: _finite(value) for name, value in content.reranking.mean.items()} | {
            "first_stage": content.reranking.first_stage,
            "first_stage_misses": content.reranking.first_stage_misses,
        }
    if content.decision:
        metrics["decision"] = asdict(content.decision) | {"reasons": list(content.decision.reasons)}
    return metrics


def _write_text(path: Path, text: str) -> None:
    with write_file(path) as staging:
        staging.write_text(text, encoding="utf-8")


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> None:
    with write_file(path) as staging, staging.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
