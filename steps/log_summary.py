"""One line in a step's log about its work: what came in, what went out, and how long it took.

Without it the log of a step that has nothing to say is no file at all, and a person who looks for it finds nothing.
"""

from __future__ import annotations

import inspect
import logging
import math
import time
from collections.abc import Callable, Mapping
from functools import singledispatch, wraps

from zenml.models import ArtifactVersionResponse

from retrieval.data.validation import ValidationReport
from retrieval.evaluation.reports import Report
from retrieval.experiments.assessment import JudgedRuns
from retrieval.models.bi_encoder import BiEncoder
from retrieval.models.cross_encoder import CrossEncoder
from retrieval.records import Dataset, Decision
from retrieval.search.embedding import CorpusVectors
from retrieval.search.retriever import Retriever
from retrieval.training.hard_negatives import HardNegatives
from retrieval.training.loop import TrainingReport

logger = logging.getLogger(__name__)

_LONGEST_TEXT = 80


def log_summary(function: Callable[..., object]) -> Callable[..., object]:
    """The function of a step, logging a line once it is through.

    Args:
        function: Of the step; one that raises says enough by that.
    """

    @wraps(function)
    def telling(*arguments: object, **named: object) -> object:
        began = time.perf_counter()
        results = function(*arguments, **named)
        seconds = time.perf_counter() - began
        given = inspect.signature(function).bind(*arguments, **named).arguments.values()
        made = results if isinstance(results, tuple) else (results,)
        came = [amount(one) for one in given if not isinstance(one, str)]  # a text that is given is a setting
        line = " -> ".join(filter(None, (_joined(came), _joined([amount(one) for one in made]))))
        logger.info("%s: %s in %.2f s", function.__name__, line or "done", seconds)
        return results

    return telling


@singledispatch
def amount(value: object) -> str:
    """How much there is of something that a step reads or makes; empty for settings.

    Args:
        value: An argument of a step or one of its results.
    """
    return ""


@amount.register
def _(value: Dataset) -> str:
    articles, passages = len(value.corpus.articles), len(value.corpus.passages)
    return f"{articles:,} articles, {passages:,} passages, {len(value.queries):,} queries"


@amount.register
def _(value: CorpusVectors) -> str:
    passages, dimension = value.passages.shape
    return f"vectors of {passages:,} passages and {len(value.titles):,} titles, {dimension} numbers each"


@amount.register
def _(value: HardNegatives) -> str:
    return f"{sum(map(len, value.cids.values())):,} negatives of {len(value.cids):,} queries"


@amount.register
def _(value: JudgedRuns) -> str:
    return f"{len(value.queries):,} queries in {len(value.runs)} runs"


@amount.register(BiEncoder)
@amount.register(CrossEncoder)
def _(value: BiEncoder | CrossEncoder) -> str:
    return f"a model of {sum(parameter.numel() for parameter in value.parameters()):,} weights"


@amount.register
def _(value: Retriever) -> str:
    return f"a retriever over {len(value.corpus.articles):,} articles"


@amount.register
def _(value: Report) -> str:
    return f"a report on {len(value.evaluations)} runs"


@amount.register
def _(value: TrainingReport) -> str:
    best = f", validation MRR@10 {value.best_score:.4f}" if math.isfinite(value.best_score) else ""
    return f"{value.steps:,} training steps{best}"


@amount.register
def _(value: ValidationReport) -> str:
    return f"{value.golds:,} judgements checked, {len(value.warnings)} warnings"


@amount.register
def _(value: Decision) -> str:
    return f"verdict {'passed' if value.passed else 'refused'}"


@amount.register
def _(value: ArtifactVersionResponse) -> str:
    return f"{value.name} {value.version}"


@amount.register(str)
def _(value: str) -> str:
    """A short text is shown, a long one counted."""
    if len(value) <= _LONGEST_TEXT and "\n" not in value:
        return value
    return f"a text of {len(value.splitlines())} lines"


@amount.register(Mapping)
def _(value: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {one}" for name, one in value.items())


def _joined(amounts: list[str]) -> str:
    return "; ".join(filter(None, amounts))
