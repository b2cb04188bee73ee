"""Step: join both stages into the retriever, choose its weights on validation and measure it on test."""

from __future__ import annotations

from typing import Annotated

from zenml import ArtifactConfig
from zenml.enums import ArtifactType

import tracking
from retrieval.config.schema import EvaluationConfig, SearchConfig
from retrieval.evaluation.reports import Extra, Report, write_report
from retrieval.evaluation.reranking import evaluate_reranking
from retrieval.experiments.assessment import JudgedRuns, assess, with_reranked
from retrieval.models.bi_encoder import BiEncoder
from retrieval.models.cross_encoder import CrossEncoder
from retrieval.names import CROSS_ENCODER
from retrieval.records import Dataset, qrels_of
from retrieval.runtime import choose_runtime
from retrieval.search.embedding import CorpusVectors
from retrieval.search.retriever import Retriever
from retrieval.training.loop import TrainingReport
from steps.hidden_states import known_query_states, known_states
from steps.library_step import library_step
from steps.report_folder import report_folder


@library_step
def evaluate_cross_encoder(
    dataset: Dataset,
    bi_encoder: BiEncoder,
    cross_encoder: CrossEncoder,
    vectors: CorpusVectors,
    first_stage_runs: JudgedRuns,
    first_stage_validation_runs: JudgedRuns,
    training: TrainingReport,
    search: SearchConfig,
    config: EvaluationConfig,
    seed: int,
    precision: str,
    threads: int,
) -> tuple[
    Annotated[Retriever, ArtifactConfig(name="retriever", artifact_type=ArtifactType.MODEL)],
    Annotated[Report, "cross_encoder_report"],
    Annotated[JudgedRuns, "test_runs"],
    Annotated[JudgedRuns, "validation_runs"],
]:
    """Build, tune, measure and report.

    Args:
        dataset: Split, cut and segmented.
        bi_encoder: First stage.
        cross_encoder: Reranker.
        vectors: Made by the first stage.
        first_stage_runs: Of the same test queries, with the baselines.
        first_stage_validation_runs: Of the same validation queries, with the baselines.
        training: Its loss curve is shown.
        search: Weights and depths to try on validation.
        config: What is measured.
        seed: Of the bootstrap and of drawn queries.
        precision: Of the arithmetic.
        threads: Compute threads; 0 takes one a core.
    """
    runtime = choose_runtime(precision, threads)
    titles, layers = config.reranked_queries, cross_encoder.settings.separate_layers
    of_queries = known_query_states(bi_encoder, dataset, titles, seed, layers, runtime)
    if cross_encoder.late:
        of_corpus = known_states(cross_encoder, bi_encoder, dataset, runtime)
        cross_encoder.late.states = tuple(states for states in (of_queries, of_corpus) if states)
    assessment = assess(dataset, bi_encoder, cross_encoder, vectors, search, titles, seed, runtime, of_queries)
    found = with_reranked(first_stage_runs, assessment.test)
    runs = {run.name: run for run in found.runs}
    extra = Extra(
        reranking=evaluate_reranking(runs["hybrid"], runs["reranked"], qrels_of(found.queries)),
        losses={CROSS_ENCODER: training.losses},
        facts={"base": cross_encoder.settings.base},
        seed=seed,
    )
    folder = report_folder(CROSS_ENCODER)
    report = write_report(folder, "Retriever", found.runs, found.queries, dataset.corpus, config, extra)
    tracking.log_metrics({f"test/{name}/{k}": v for name, e in report.evaluations.items() for k, v in e.mean.items()})
    tracking.log_folder(folder, CROSS_ENCODER)
    validated = with_reranked(first_stage_validation_runs, assessment.validation)
    return assessment.retriever, report, found, validated
