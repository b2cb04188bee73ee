"""Step: what a retriever finds for the questions of a file, and the report about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import tracking
from retrieval.config.schema import EvaluationConfig
from retrieval.evaluation.reports import Report
from retrieval.experiments.assessment import JudgedRuns
from retrieval.experiments.scoring import report_runs, search_question_file
from retrieval.names import LEGAL_RETRIEVER
from retrieval.runtime import choose_runtime
from retrieval.search.retriever import Retriever
from steps.library_step import library_step
from steps.report_folder import report_folder


@library_step
def score_questions(
    retriever: Retriever,
    questions: str,
    inputs: str,
    duplicates: Literal["error", "keep_first"],
    version: str,
    config: EvaluationConfig,
    seed: int,
    precision: str,
    threads: int,
) -> tuple[Annotated[Report, "evaluation_report"], Annotated[JudgedRuns, "evaluation_runs"]]:
    """Search, measure and report.

    Args:
        retriever: Searches its corpus.
        questions: File (qid,question,cid).
        inputs: Fingerprint of the file.
        duplicates: What a repeated qid does.
        version: Of legal-retriever, named in the report.
        config: What is measured.
        seed: Of the bootstrap.
        precision: Of the arithmetic.
        threads: Compute threads; 0 takes one a core.
    """
    here = replace(retriever, runtime=choose_runtime(precision, threads))
    found = search_question_file(here, Path(questions), duplicates)
    folder = report_folder("evaluation")
    facts = {LEGAL_RETRIEVER: version, "questions": Path(questions).name}
    report = report_runs(folder, found, here.corpus, config, facts, seed)
    tracking.log_metrics({f"{name}/{k}": v for name, e in report.evaluations.items() for k, v in e.mean.items()})
    tracking.log_folder(folder, "evaluation")
    return report, found
