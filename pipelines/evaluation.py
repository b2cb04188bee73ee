"""Pipeline `evaluation`: scores a question file with a kept retriever."""

from __future__ import annotations

from typing import Any

from zenml import pipeline
from zenml.client import Client
from zenml.enums import ExecutionMode

from pipelines.inputs import compute_of, without
from pipelines.launch import folder_for_steps, launched
from pipelines.preflight import folder_ready
from pipelines.results import Outcome, exported_report, load_output
from pipelines.with_pushes import failures_pushed, pushing, with_pushes
from pipelines.with_tracking import tracking_ready, unsent, with_tracking
from registry.versions import MAIN, RETRIEVER, artifact_of, find_version, name_of
from retrieval.config.schema import Config
from retrieval.errors import ConfigError
from retrieval.evaluation.reports import Report
from retrieval.evaluation.summary import measured_cutoffs, summary_table
from retrieval.experiments.assessment import JudgedRuns
from retrieval.experiments.scoring import check_files
from retrieval.fingerprints import files_fingerprint
from retrieval.model_store import STAGES
from steps.evaluation.export_reports import export_report
from steps.evaluation.index_corpus import index_corpus
from steps.evaluation.score_questions import score_questions
from steps.monitoring.push_run_metrics import push_evaluated_run


@pipeline(name="evaluation", execution_mode=ExecutionMode.FAIL_FAST)
def evaluation_pipeline(config: Config, version: str) -> None:
    """Search the questions, report, and leave the report where it is looked for.

    Args:
        config: What to score.
        version: Of legal-retriever; what is in a stage is looked up when the run gets there, however long that takes.
    """
    evaluation, compute = config.evaluation, compute_of(config)
    measured = without(evaluation, "questions", "corpus", "model", "output")
    chosen = Client().get_model_version(RETRIEVER, version)  # in a pipeline ZenML asks for it when a step starts
    retriever: Any = chosen.get_artifact(MAIN[RETRIEVER])
    if evaluation.corpus is not None:
        section = without(config.data, "source", "laws", "corpus", "questions", "test_questions")
        inputs = files_fingerprint([evaluation.corpus])
        retriever = index_corpus(retriever, str(evaluation.corpus), inputs, section, **compute)
    report, found = with_tracking(score_questions, config)(
        retriever,
        str(evaluation.questions),
        files_fingerprint([evaluation.questions]),
        config.data.duplicates,
        chosen.name,
        measured,
        config.seed,
        **compute,
    )
    if output := folder_for_steps(evaluation.output):
        pushing(push_evaluated_run, config, found, after=export_report(report, output))
    else:
        pushing(push_evaluated_run, config, found, after=report)


def run(config: Config, cache: bool) -> Outcome:
    """Run the pipeline, which leaves its report and runs in the output folder, and tell what was measured.

    Raises:
        ConfigError: If there is no question file or no such version, or the output folder cannot be written.
        DataError: If a file's rows cannot be scored.
    """
    evaluation = config.evaluation
    if evaluation.questions is None:
        raise ConfigError("evaluation.questions is not set; give a file with --set evaluation.questions=FILE")
    check_files(evaluation.questions, evaluation.corpus, config.data.duplicates)
    folder_ready("evaluation.output", evaluation.output)
    tracking_ready(config)
    version = find_version(evaluation.model)
    artifact_of(version, MAIN[RETRIEVER])
    staged = evaluation.model in STAGES
    with failures_pushed(evaluation_pipeline, config):
        ready = with_pushes(evaluation_pipeline, config)
        response = launched(ready, config, cache, evaluation.model if staged else name_of(version))
    report: Report = load_output(response, "score_questions", "evaluation_report")
    page = exported_report(response, report, evaluation.output)
    found: JudgedRuns = load_output(response, "score_questions", "evaluation_runs")
    evaluations = list(found.evaluations(measured_cutoffs(evaluation.cutoffs)).values())
    runs = ", ".join(sorted(path.name for path in report.folder.glob("*.trec")))
    lines = [
        f"legal-retriever {version.name} on {evaluation.questions}",
        summary_table(evaluations, evaluation.bootstrap_samples, config.seed),
        f"Report {page}; {runs or 'no TREC file'} beside it",
        *unsent(),
    ]
    return Outcome(lines)
