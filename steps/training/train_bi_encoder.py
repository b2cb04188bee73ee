"""Step: train the first-stage model."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from zenml import ArtifactConfig
from zenml.enums import ArtifactType

import tracking
from retrieval.config.schema import BiEncoderConfig
from retrieval.data.storage import fingerprint
from retrieval.models.bi_encoder import BiEncoder, bi_encoder_from
from retrieval.names import BI_ENCODER
from retrieval.paths import HIDDEN_STATES
from retrieval.records import Dataset
from retrieval.runtime import choose_runtime
from retrieval.training.bi_encoder import train_bi_encoder as train
from retrieval.training.loop import TrainingReport
from steps.checkpoints import checkpoint_folder
from steps.library_step import library_step


@library_step
def train_bi_encoder(
    dataset: Dataset, config: BiEncoderConfig, base_inputs: str, seed: int, precision: str, threads: int
) -> tuple[
    Annotated[BiEncoder, ArtifactConfig(name="bi_encoder", artifact_type=ArtifactType.MODEL)],
    Annotated[TrainingReport, "bi_encoder_training"],
]:
    """Train from the configured base; an interrupted training goes on where it stopped.

    Args:
        dataset: Split, cut and segmented.
        config: Base, loss and training.
        base_inputs: Fingerprint of the base.
        seed: Of order and choices.
        precision: Of the arithmetic.
        threads: Compute threads; 0 takes one a core.
    """
    runtime = choose_runtime(precision, threads)
    data_version = fingerprint(dataset)
    tracking.log_fact("data_version", data_version)
    encoder = bi_encoder_from(config)
    with checkpoint_folder(BI_ENCODER, config, data_version, base_inputs, seed, str(runtime.precision)) as folder:
        log = tracking.log_metric("bi_encoder")
        report = train(encoder, dataset, config, {}, seed, runtime, folder, log, HIDDEN_STATES.absolute())
    encoder.settings = replace(encoder.settings, training_run_id=tracking.run_id(), data_version=data_version)
    return encoder, report
