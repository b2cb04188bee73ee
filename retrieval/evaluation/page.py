"""The HTML page of a report: turns measured numbers into what the template shows, in Vietnamese."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from retrieval.evaluation.cases import Case
from retrieval.evaluation.metrics import Evaluation
from retrieval.evaluation.reranking import RerankingEvaluation
from retrieval.evaluation.significance import PairedDifference
from retrieval.evaluation.summary import LABELS, SummaryRow, metric_label
from retrieval.records import Decision

_TEMPLATES = Path(__file__).parent / "templates"
SOURCES: Mapping[str, str] = {
    "natural": "Câu hỏi tự nhiên",
    "title": "Tiêu đề điều luật",
    "clause": "Trích khoản",
    "path": "Chương mục + tiêu đề",
    "template": "Câu hỏi theo mẫu",
    "csv": "Câu hỏi trong tệp",
}
RERANKING_LABELS: Mapping[str, str] = {
    "reranking_accuracy": "Kết quả đầu tiên đúng (Reranking Accuracy)",
    "mrr_improvement": "Mức tăng MRR",
    "ndcg_improvement": "Mức tăng nDCG",
    "rank_displacement": "Số bậc điều luật đúng được đưa lên (RRD)",
    "roc_auc": "ROC AUC của điểm",
}


@dataclass(frozen=True)
class PageContent:
    """Everything the page shows.

    Attributes:
        title: Heading of the page.
        main: Tag of the run whose cases and scores are shown.
        baseline: Tag of the run the others are compared with.
        articles: Articles in the corpus.
        summary: A row a run.
        differences: By run and metric, minus the baseline.
        by_source: By source of question, the evaluations of every run.
        evaluations: Every run, whole.
        cases: Worst first.
        pictures: SVG by place: ``recall``, ``scores``, ``loss``, ``lengths``; absent ones are left out.
        reranking: Shown where given.
        decision: Shown where given.
        facts: Lines under the title, by name.
    """

    title: str
    main: str
    baseline: str
    articles: int
    summary: Sequence[SummaryRow]
    differences: Mapping[str, Mapping[str, PairedDifference]]
    by_source: Mapping[str, Sequence[Evaluation]]
    evaluations: Sequence[Evaluation]
    cases: Sequence[Case]
    pictures: Mapping[str, str]
    reranking: RerankingEvaluation | None = None
    decision: Decision | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Bar:
    """A paired difference drawn on the axis all of them share, in percent of its width."""

    run: str
    difference: PairedDifference
    left: float
    width: float
    point: float

    @property
    def verdict(self) -> str:
        if self.difference.low > 0:
            return "better"
        return "worse" if self.difference.high < 0 else "even"


def run_label(name: str) -> str:
    """A run's tag in Vietnamese; an unknown tag stays as it is."""
    return LABELS.get(name, name)


def source_label(source: str) -> str:
    """A question source in Vietnamese; an unknown one stays as it is."""
    return SOURCES.get(source, source or "khác")


def _bars(differences: Mapping[str, Mapping[str, PairedDifference]], metric: str) -> list[_Bar]:
    chosen = {run: by_metric[metric] for run, by_metric in differences.items() if metric in by_metric}
    reach = max([0.01, *(max(abs(d.low), abs(d.high)) for d in chosen.values())]) * 1.05

    def place(value: float) -> float:
        return 50.0 + 50.0 * value / reach

    return [
        _Bar(run, d, place(d.low), max(place(d.high) - place(d.low), 0.4), place(d.mean)) for run, d in chosen.items()
    ]


def _best(rows: Sequence[SummaryRow]) -> dict[str, float]:
    """Best mean of each metric, as displayed, so that equal-looking cells are marked alike."""
    metrics = rows[0].intervals if rows else {}
    return {metric: max(round(row.intervals[metric].mean, 3) for row in rows) for metric in metrics}


def _reranking_lines(reranking: RerankingEvaluation) -> list[tuple[str, str]]:
    lines = []
    for metric, value in reranking.mean.items():
        name, _, cutoff = metric.partition("@")
        label = RERANKING_LABELS.get(name, name) + (f"@{cutoff}" if cutoff else "")
        signed = name.endswith("improvement") or name == "rank_displacement"
        text = "không xác định" if value != value else f"{value:+.3f}" if signed else f"{value:.3f}"  # noqa: PLR0124
        lines.append((label, text))
    lines.append(("Câu hỏi mà tầng đầu không tìm thấy điều luật đúng", str(reranking.first_stage_misses)))
    return lines


def _score(value: float) -> str:
    return "–" if value == float("-inf") else f"{value:.3f}"


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "run": run_label,
        "source": source_label,
        "metric": metric_label,
        "score": _score,
        "p_value": _p_value,
    }
    return environment.get_template("report.html")


def render_page(content: PageContent) -> str:
    """The report as one self-contained HTML page: no script, no outside file, light and dark."""
    main = next(row for row in content.summary if row.name == content.main)
    return _template().render(
        content=content,
        style=Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        pictures={name: Markup(svg) for name, svg in content.pictures.items()},  # noqa: S704 - matplotlib escapes text
        main=main,
        best=_best(content.summary),
        bars={metric: _bars(content.differences, metric) for metric in ("mrr@10", "ndcg@10", "recall@10")},
        reranking=_reranking_lines(content.reranking) if content.reranking else [],
        metrics=list(content.evaluations[0].mean),
    )
