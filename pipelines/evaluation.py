"""Pipeline `evaluation`: scores a question file with a kept retriever."""

from __future__ import annotations

from zenml import pipeline
from zenml.client import Client
from zenml.enums import ExecutionMode

from pipelines.inputs import compute_of, without
from pipelines.launch import launched
from pipelines.preflight import folder_ready
from pipelines.results import Outcome, export_report, load_output
from pipelines.with_tracking import tracked, tracking_ready, untold
from registry.versions import artifact_of, find_version, name_of
from retrieval.config import Config
from retrieval.errors import ConfigError
from retrieval.evaluation.reports import Report
from retrieval.evaluation.summary import measured_cutoffs, summary_table
from retrieval.experiments.assessment import JudgedRuns
from retrieval.experiments.scoring import check_files
from retrieval.fingerprints import files_fingerprint
from steps.evaluation.index_corpus import index_corpus
from steps.evaluation.score_questions import score_questions


@pipeline(name="evaluation", execution_mode=ExecutionMode.FAIL_FAST)
def evaluation_pipeline(config: Config, artifact: str, version: str) -> None:
    """Search the questions and report.

    Args:
        config: What to score.
        artifact: Id of the retriever's artifact version.
        version: Its version of legal-retriever.
    """
    evaluation, compute = config.evaluation, compute_of(config)
    measured = without(evaluation, "questions", "corpus", "model", "output")
    retriever = Client().get_artifact_version(artifact)
    if evaluation.corpus is not None:
        section = without(config.data, "source", "laws", "corpus", "questions", "test_questions")
        inputs = files_fingerprint([evaluation.corpus])
        retriever = index_corpus(retriever, str(evaluation.corpus), inputs, section, **compute)
    tracked(score_questions, config)(
        retriever,
        str(evaluation.questions),
        files_fingerprint([evaluation.questions]),
        config.data.duplicates,
        version,
        measured,
        config.seed,
        **compute,
    )


def run(config: Config, cache: bool) -> Outcome:
    """Run the pipeline and put its report and runs into the output folder.

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
    artifact = artifact_of(version, "retriever")
    response = launched(evaluation_pipeline, config, cache, str(artifact.id), name_of(version))
    report: Report = load_output(response, "score_questions", "evaluation_report")
    page = export_report(report, evaluation.output)
    found: JudgedRuns = load_output(response, "score_questions", "evaluation_runs")
    evaluations = list(found.evaluations(measured_cutoffs(evaluation.cutoffs)).values())
    runs = ", ".join(sorted(path.name for path in report.folder.glob("*.trec")))
    lines = [
        f"legal-retriever {version.name} on {evaluation.questions}",
        summary_table(evaluations, evaluation.bootstrap_samples, config.seed),
        f"Report {page}; {runs or 'no TREC file'} beside it",
        *untold(),
    ]
    return Outcome(lines)
