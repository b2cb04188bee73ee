"""Step: train the reranker."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from zenml import ArtifactConfig
from zenml.enums import ArtifactType

import tracking
from retrieval.config.schema import CrossEncoderConfig
from retrieval.data.storage import fingerprint
from retrieval.models.bi_encoder import BiEncoder
from retrieval.models.cross_encoder import CrossEncoder, cross_encoder_from
from retrieval.names import CROSS_ENCODER
from retrieval.records import Dataset
from retrieval.runtime import choose_runtime
from retrieval.training.cross_encoder import train_cross_encoder as train
from retrieval.training.hard_negatives import HardNegatives, passage_reader
from retrieval.training.loop import TrainingReport
from steps.checkpoints import checkpoint_folder
from steps.hidden_states import known_states
from steps.library_step import library_step


@library_step
def train_cross_encoder(
    dataset: Dataset,
    bi_encoder: BiEncoder,
    negatives: HardNegatives,
    config: CrossEncoderConfig,
    base_inputs: str,
    seed: int,
    precision: str,
    threads: int,
) -> tuple[
    Annotated[CrossEncoder, ArtifactConfig(name="cross_encoder", artifact_type=ArtifactType.MODEL)],
    Annotated[TrainingReport, "cross_encoder_training"],
]:
    """Train on mined pairs; an interrupted training goes on where it stopped.

    Args:
        dataset: Split, cut and segmented.
        bi_encoder: The weights to start from, if the base says so.
        negatives: Mined articles and the passages that stand for them.
        config: Base and training.
        base_inputs: Fingerprint of the base.
        seed: Of order and choices.
        precision: Of the arithmetic.
        threads: Compute threads; 0 takes one a core.
    """
    runtime = choose_runtime(precision, threads)
    data_version = fingerprint(dataset)
    tracking.log_fact("data_version", data_version)
    reranker = cross_encoder_from(config, bi_encoder)
    states = known_states(reranker, bi_encoder, dataset, runtime)
    reader = passage_reader(negatives, dataset, reranker.settings.text_kind)
    with checkpoint_folder(CROSS_ENCODER, config, data_version, base_inputs, seed, str(runtime.precision)) as folder:
        log = tracking.log_metric("cross_encoder")
        report = train(reranker, dataset, config, negatives.cids, seed, runtime, folder, log, reader, states)
    reranker.settings = replace(reranker.settings, training_run_id=tracking.run_id(), data_version=data_version)
    return reranker, report
