"""A pipeline of seconds that leaves what training leaves: tiny models, their retriever, runs of chosen quality."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import torch
from zenml import ArtifactConfig, pipeline, step
from zenml.enums import ArtifactType, ExecutionMode

import tracking
from pipelines.with_tracking import with_tracking
from retrieval.config.schema import Config, CrossEncoderConfig, EvaluationConfig, GatesConfig, TrackingConfig
from retrieval.evaluation.reports import Report, write_report
from retrieval.experiments.assessment import JudgedRuns
from retrieval.models.bi_encoder import BiEncoder, load_bi_encoder
from retrieval.models.cross_encoder import CrossEncoder, cross_encoder_from
from retrieval.records import Article, Corpus, Decision, Passage, Query, TrecRun
from retrieval.runtime import Runtime
from retrieval.search.embedding import CorpusVectors
from retrieval.search.retriever import Retriever
from retrieval.search.settings import RetrieverSettings
from retrieval.training.checkpoints import EpochResult
from retrieval.training.loop import TrainingReport
from steps.promotion.register_versions import register_versions
from steps.report_folder import report_folder
from tests.helpers.tiny_models import WORDS, write_multilingual_encoder

EXPERIMENT = "small"
QUESTIONS = 60
CONFIG = Config(
    evaluation=EvaluationConfig(bootstrap_samples=500),
    gates=GatesConfig(
        min_mrr_at_10=0.5,
        min_recall_at_100=0.0,
        min_gain_over_bm25=-1.0,
        latency_budget_seconds=600,
        latency_questions=2,
    ),
    tracking=TrackingConfig(experiment=EXPERIMENT, system_metrics_seconds=1.0),
)
EPOCHS = (0.5, 0.4, 0.3)
DURING: list[Callable[[], None]] = []
"""Called while the step computes, between its second and its third epoch."""

TEXTS = [" ".join(WORDS[start : start + 6]).replace("_", " ") for start in range(8)]
ARTICLES = tuple(Article(f"L:{n}", f"Điều {n}", text, "Luật") for n, text in enumerate(TEXTS))
CORPUS = Corpus(ARTICLES, tuple(Passage(a.cid, 0, a.body, a.body) for a in ARTICLES), tuple(a.title for a in ARTICLES))
QUERIES = tuple(
    Query(f"q{n}", f"{TEXTS[n % 8]} {n}?", (f"L:{n % 8}",), f"{TEXTS[n % 8]} {n} ?", "natural", "test")
    for n in range(QUESTIONS)
)
Model = ArtifactConfig(artifact_type=ArtifactType.MODEL)


def found(share: float) -> JudgedRuns:
    """Runs in which that share of the questions has its article first, and the others have it nowhere."""
    rows = np.array(
        [[n % 8, (n + 1) % 8] if n < share * QUESTIONS else [(n + 1) % 8, (n + 2) % 8] for n in range(QUESTIONS)]
    )
    scores = np.tile(np.array([[2.0, 1.0]], np.float32), (QUESTIONS, 1))
    qids = tuple(query.qid for query in QUERIES)
    runs = [TrecRun(name, qids, CORPUS.cids, rows.astype(np.int32), scores) for name in ("bm25", "reranked")]
    return JudgedRuns(QUERIES, tuple(runs))


def tiny_retriever(seed: int) -> Retriever:
    """Its weights, and so its content, depend on the seed."""
    with TemporaryDirectory() as folder:
        write_multilingual_encoder(Path(folder))
        encoder = load_bi_encoder(Path(folder))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.01)
    reranker = cross_encoder_from(CrossEncoderConfig(layers=1, max_tokens=64, max_query_tokens=16), encoder)
    runtime = Runtime(torch.device("cpu"), torch.float32, 1)
    vectors = CorpusVectors(*(np.eye(8, encoder.settings.dimension, dtype=np.float32),) * 2)
    return Retriever.build(CORPUS, encoder, reranker, vectors, RetrieverSettings(rerank_depth=2), runtime)


@step(enable_cache=False)
def make_models(
    seed: int, share: float
) -> tuple[
    Annotated[BiEncoder, "bi_encoder"],
    Annotated[CrossEncoder, "cross_encoder"],
    Annotated[Retriever, "retriever"],
    Annotated[JudgedRuns, "test_runs"],
    Annotated[Report, "report"],
    Annotated[TrainingReport, "training"],
    Annotated[Decision, "decision"],
]:
    log = tracking.log_metric("bi_encoder")
    for epoch, loss in enumerate(EPOCHS, start=1):
        if epoch == len(EPOCHS):
            for interrupt in DURING:
                interrupt()
        log("epoch_loss", loss, epoch)
    tracking.log_fact("data_version", f"data of {seed}")
    runs, retriever = found(share), tiny_retriever(seed)
    folder = report_folder("small")
    report = write_report(folder, "Thử", runs.runs, runs.queries, CORPUS, CONFIG.evaluation)
    tracking.log_folder(folder, "bi-encoder")
    training = TrainingReport((EpochResult(1, EPOCHS[-1], share, 1.0),), EPOCHS, 1, share, 3, 1.0)
    decision = Decision("legal-retriever", True, ("small",), {"mrr@10": share})
    return retriever.bi_encoder, retriever.cross_encoder, retriever, runs, report, training, decision


@pipeline(name="small", enable_cache=False, execution_mode=ExecutionMode.FAIL_FAST)
def small_pipeline(seed: int, share: float) -> None:
    encoder, reranker, retriever, runs, report, training, decision = with_tracking(make_models, CONFIG)(seed, share)
    register_versions(
        encoder, reranker, retriever, runs, report, report, training, training, decision, CONFIG.tracking.experiment
    )
