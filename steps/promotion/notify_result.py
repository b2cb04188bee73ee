"""Step: put the result into words, for the log and for the stack's alerter where it has one."""

from __future__ import annotations

import logging
from typing import Annotated

from zenml.client import Client

from retrieval.assessment import JudgedRuns
from retrieval.config import EvaluationConfig
from retrieval.records import Decision
from retrieval.training_summary import summary_text
from steps.library_step import library_step

logger = logging.getLogger(__name__)


@library_step
def notify_result(
    test_runs: JudgedRuns,
    validation_runs: JudgedRuns,
    decision: Decision,
    versions: dict[str, str],
    config: EvaluationConfig,
    seed: int,
) -> Annotated[str, "summary"]:
    """Write the summary and post it."""
    summary = summary_text(test_runs, validation_runs, decision, versions, config, seed)
    alerter = Client().active_stack.alerter
    if alerter is not None:
        alerter.post(summary)
    logger.info("%s", summary)
    return summary
