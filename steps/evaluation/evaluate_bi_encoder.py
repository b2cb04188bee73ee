"""Step: the first stage against BM25 and the pretrained encoder, on the test queries."""

from __future__ import annotations

from typing import Annotated

import tracking
from retrieval.config.schema import BiEncoderConfig, EvaluationConfig, SearchConfig
from retrieval.evaluation.reports import Extra, Report, write_report
from retrieval.experiments.assessment import JudgedRuns, assess_first_stage
from retrieval.models.bi_encoder import BiEncoder, bi_encoder_from
from retrieval.names import BI_ENCODER
from retrieval.records import Dataset
from retrieval.runtime import choose_runtime
from retrieval.search.embedding import CorpusVectors
from retrieval.training.loop import TrainingReport
from steps.hidden_states import known_query_states
from steps.library_step import library_step
from steps.report_folder import report_folder


@library_step
def evaluate_bi_encoder(
    dataset: Dataset,
    bi_encoder: BiEncoder,
    vectors: CorpusVectors,
    pretrained_vectors: CorpusVectors,
    shared_layers: int,
    training: TrainingReport,
    base: BiEncoderConfig,
    search: SearchConfig,
    config: EvaluationConfig,
    seed: int,
    precision: str,
    threads: int,
) -> tuple[
    Annotated[Report, "bi_encoder_report"],
    Annotated[JudgedRuns, "first_stage_runs"],
    Annotated[JudgedRuns, "first_stage_validation_runs"],
]:
    """Measure and report.

    Args:
        dataset: Split, cut and segmented.
        bi_encoder: Trained.
        vectors: Made by it.
        pretrained_vectors: Made by the encoder it started from.
        shared_layers: How many lowest layers are the same in both.
        training: Its loss curve is shown.
        base: Names the pretrained encoder.
        search: Weights to try on validation.
        config: What is measured.
        seed: Of the bootstrap and of drawn queries.
        precision: Of the arithmetic.
        threads: Compute threads; 0 takes one a core.
    """
    pretrained = (bi_encoder_from(base), pretrained_vectors)
    runtime = choose_runtime(precision, threads)
    titles = config.reranked_queries
    states = known_query_states(pretrained[0], dataset, titles, seed, shared_layers, runtime)
    found = assess_first_stage(dataset, (bi_encoder, vectors), pretrained, search, titles, seed, runtime, states)
    shown = found.test.select("bm25", "zero-shot", "mix", "trained")
    extra = Extra(losses={BI_ENCODER: training.losses}, facts={"base": bi_encoder.settings.base}, seed=seed)
    folder = report_folder(BI_ENCODER)
    report = write_report(folder, "Bi-encoder", shown.runs, shown.queries, dataset.corpus, config, extra)
    tracking.log_metrics({f"test/{name}/{k}": v for name, e in report.evaluations.items() for k, v in e.mean.items()})
    tracking.log_folder(folder, BI_ENCODER)
    return report, found.test, found.validation
