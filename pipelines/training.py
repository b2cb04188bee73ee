"""Pipeline `training`: data, both models, their evaluation, the gate, and new versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zenml import pipeline
from zenml.enums import ExecutionMode

from pipelines.data import dataset_steps
from pipelines.inputs import base_inputs, compute_of, without
from pipelines.launch import folder_for_steps, launched
from pipelines.next_command import Following
from pipelines.preflight import folder_ready, models_ready, place_ready
from pipelines.results import Outcome, exported_reports, kept_retriever, load_output
from pipelines.with_alerts import announcing, failures_announced, with_alerts
from pipelines.with_pushes import failures_pushed, pushing, with_pushes
from pipelines.with_tracking import tracking_ready, unsent, with_tracking
from registry.announcements import announce_training
from registry.production_check import production_ready
from registry.reconcile import production_name
from retrieval.config.models import ReadBy
from retrieval.config.schema import Config
from retrieval.paths import KEPT, REPORTS_IN_WORK
from steps.evaluation.evaluate_bi_encoder import evaluate_bi_encoder
from steps.evaluation.evaluate_cross_encoder import evaluate_cross_encoder
from steps.evaluation.export_reports import export_reports
from steps.monitoring.push_run_metrics import push_trained_run
from steps.promotion.gate_retriever import gate_retriever
from steps.promotion.keep_retriever import keep_retriever
from steps.promotion.notify_result import notify_result
from steps.promotion.register_versions import register_versions
from steps.training.embed_corpus import embed_corpus, embed_corpus_pretrained
from steps.training.mine_negatives import mine_negatives
from steps.training.train_bi_encoder import train_bi_encoder
from steps.training.train_cross_encoder import train_cross_encoder
from tracking.runs import git_commit


@pipeline(name="training", execution_mode=ExecutionMode.FAIL_FAST)
def training_pipeline(config: Config) -> None:
    """Train, measure, judge, register, and leave reports and retriever where they are looked for."""
    seed, compute = config.seed, compute_of(config)
    bi, cross = config.bi_encoder, config.cross_encoder
    base = base_inputs(bi.base)
    measured = without(config.evaluation, "questions", "corpus", "model", "output")
    untrained = without(bi, *bi.keys_read_by(ReadBy.TRAINING))
    dataset, valid = dataset_steps(config)
    encoder, bi_training = with_tracking(train_bi_encoder, config)(dataset, bi, base, seed, **compute, after=valid)
    shared = bi.training.frozen_layers
    vectors = embed_corpus(dataset, encoder, shared, **compute)
    pretrained = embed_corpus_pretrained(dataset, untrained, base, shared, **compute, after=valid)
    bi_report, first_stage, first_validation = with_tracking(evaluate_bi_encoder, config)(
        dataset, encoder, vectors, pretrained, shared, bi_training, untrained, config.search, measured, seed, **compute
    )
    negatives = mine_negatives(dataset, encoder, vectors, config.mining, cross.training_queries, seed, **compute)
    reranker, cross_training = with_tracking(train_cross_encoder, config)(
        dataset, encoder, negatives, cross, base_inputs(cross.base), seed, **compute
    )
    retriever, cross_report, test_runs, validation_runs = with_tracking(evaluate_cross_encoder, config)(
        dataset,
        encoder,
        reranker,
        vectors,
        first_stage,
        first_validation,
        cross_training,
        config.search,
        measured,
        seed,
        **compute,
    )
    decision = with_tracking(gate_retriever, config)(test_runs, config.gates, measured, seed)
    made = register_versions(
        encoder,
        reranker,
        retriever,
        test_runs,
        bi_report,
        cross_report,
        bi_training,
        cross_training,
        decision,
        config.tracking.experiment,
    )
    left = _leaving(retriever, made, bi_report, cross_report, config)
    told = announcing(notify_result, announce_training)(
        test_runs, validation_runs, decision, made, measured, seed, after=left
    )
    pushing(push_trained_run, config, test_runs, decision, after=told)


def _leaving(retriever: Any, made: Any, bi_report: Any, cross_report: Any, config: Config) -> list[Any]:  # noqa: ANN401
    """Wire the steps that leave results on this machine; none where the disk of a step is not this machine's.

    Returns:
        What they give. The result is told after them: a training is not finished before.
    """
    kept, reports = folder_for_steps(KEPT), folder_for_steps(config.reports)
    if not kept:
        return []
    return [
        keep_retriever(retriever, made, kept, git_commit(Path.cwd())),
        export_reports(bi_report, cross_report, reports),
    ]


def run(config: Config, cache: bool) -> Outcome:
    """Run the pipeline, and tell how it went and where its reports and its retriever lie."""
    folder_ready("reports", config.reports)
    for folder in (KEPT, REPORTS_IN_WORK):
        place_ready(folder)
    models_ready(config)
    tracking_ready(config)
    production_ready(production_name())
    with failures_announced(training_pipeline), failures_pushed(training_pipeline, config):
        response = launched(with_pushes(with_alerts(training_pipeline), config), config, cache)
    reports = exported_reports(response, config.reports)
    made = load_output(response, "register_versions", "versions")
    kept = kept_retriever(response, made)
    summary = load_output(response, "notify_result", "summary")
    lines = [summary, "", "Reports", *(f"  {path}" for path in reports), f"Retriever kept in {kept}", *unsent()]
    following: list[Following | str] = [
        'python -m retrieval.search "Người lao động được nghỉ phép năm bao nhiêu ngày?"',
        Following("evaluation", asks=("evaluation.questions=FILE",)),
    ]
    following += [Following("promotion")] if made["staged"] == "yes" else []
    return Outcome(lines, [*following, "make dashboard"])
