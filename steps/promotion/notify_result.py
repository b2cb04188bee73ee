"""Step: put the result into words; where the stack has an alerter, the success of this last step is announced."""

from __future__ import annotations

import logging
from typing import Annotated

from retrieval.config.schema import EvaluationConfig
from retrieval.experiments.assessment import JudgedRuns
from retrieval.experiments.training_summary import summary_text
from retrieval.records import Decision
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
    """Write the summary."""
    summary = summary_text(test_runs, validation_runs, decision, versions, config, seed)
    logger.info("%s", summary)
    return summary
