"""Pipeline `training`: data, both models, their evaluation, the gate, and new versions."""

from __future__ import annotations

from zenml import pipeline
from zenml.enums import ExecutionMode

import materializers.findings
import materializers.models
import materializers.reports
import materializers.vectors  # noqa: F401 - registers them
from pipelines.data import dataset_steps
from pipelines.inputs import base_inputs, without
from pipelines.launch import launched
from pipelines.next_command import Following
from pipelines.preflight import folder_ready, models_ready, place_ready
from pipelines.results import Outcome, export_report, keep_retriever, load_output
from pipelines.with_alerts import announced, announcing, failures_announced
from pipelines.with_tracking import tracked, tracking_ready, untold
from registry.announcements import announce_training
from registry.local_stages import note_stages
from registry.production_check import production_ready
from registry.reconcile import production_name
from retrieval.config import Config
from retrieval.names import BI_ENCODER, CROSS_ENCODER
from retrieval.paths import KEPT, REPORTS_IN_WORK
from steps.evaluation.evaluate_bi_encoder import evaluate_bi_encoder
from steps.evaluation.evaluate_cross_encoder import evaluate_cross_encoder
from steps.promotion.gate_retriever import gate_retriever
from steps.promotion.notify_result import notify_result
from steps.promotion.register_versions import register_versions
from steps.training.embed_corpus import embed_corpus, embed_corpus_untouched
from steps.training.mine_negatives import mine_negatives
from steps.training.train_bi_encoder import train_bi_encoder
from steps.training.train_cross_encoder import train_cross_encoder

TRAINING_KEYS = (
    "training",
    "training_passage_tokens",
    "loss",
    "temperature",
    "chunk_queries",
    "hard_negatives",
    "batch_articles",
    "neighbours",
    "passage_choice",
    "title_share",
    "trained_share",
)
"""Keys of the bi-encoder that the untouched encoder does not depend on."""


@pipeline(name="training", execution_mode=ExecutionMode.FAIL_FAST)
def training_pipeline(config: Config, production: str) -> None:
    """Train, measure, judge and register.

    Args:
        config: Everything.
        production: Version of legal-retriever in production, to be compared with; empty where there is none.
    """
    seed, compute = config.seed, {"precision": config.precision, "threads": config.threads}
    bi, cross = config.bi_encoder, config.cross_encoder
    base = base_inputs(bi.base)
    measured = without(config.evaluation, "questions", "corpus", "model", "output")
    untrained = without(bi, *TRAINING_KEYS)
    dataset, valid = dataset_steps(config)
    encoder, bi_training = tracked(train_bi_encoder, config)(dataset, bi, base, seed, **compute, after=valid)
    shared = (bi.training.freeze_layers, bi.training.fast_freeze_layers) if bi.training.freeze_embeddings else (0, 0)
    vectors = embed_corpus(dataset, encoder, shared, **compute)
    untouched = embed_corpus_untouched(dataset, untrained, base, shared, **compute, after=valid)
    bi_report, first_stage, first_validation = tracked(evaluate_bi_encoder, config)(
        dataset, encoder, vectors, untouched, shared, bi_training, untrained, config.search, measured, seed, **compute
    )
    counts = (cross.training_queries, cross.fast_training_queries)
    negatives = mine_negatives(dataset, encoder, vectors, config.mining, *counts, seed, **compute)
    reranker, cross_training = tracked(train_cross_encoder, config)(
        dataset, encoder, negatives, cross, base_inputs(cross.base), seed, **compute
    )
    retriever, cross_report, test_runs, validation_runs = tracked(evaluate_cross_encoder, config)(
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
    decision = tracked(gate_retriever, config)(test_runs, config.gates, measured, production, seed)
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
    announcing(notify_result, announce_training)(test_runs, validation_runs, decision, made, measured, seed)


def run(config: Config, cache: bool) -> Outcome:
    """Run the pipeline, put its reports and its retriever where they are looked for, and tell how it went."""
    folder_ready("reports", config.reports)
    for folder in (KEPT, REPORTS_IN_WORK):
        place_ready(folder)
    models_ready(config)
    tracking_ready(config)
    before = production_name()
    production_ready(before)
    with failures_announced(training_pipeline):
        response = launched(announced(training_pipeline), config, cache, before)
    reports = [
        export_report(load_output(response, step, f"{step.removeprefix('evaluate_')}_report"), config.reports / name)
        for step, name in (("evaluate_bi_encoder", BI_ENCODER), ("evaluate_cross_encoder", CROSS_ENCODER))
    ]
    made = load_output(response, "register_versions", "versions")
    kept = keep_retriever(response, made)
    note_stages()
    summary = load_output(response, "notify_result", "summary")
    lines = [summary, "", "Reports", *(f"  {path}" for path in reports), f"Retriever kept in {kept}", *untold()]
    following: list[Following | str] = [
        'python -m retrieval.search "Người lao động được nghỉ phép năm bao nhiêu ngày?"',
        Following("evaluation", asks=("evaluation.questions=FILE",)),
    ]
    following += [Following("promotion")] if made["staged"] == "yes" else []
    return Outcome(lines, [*following, "make dashboard"])
