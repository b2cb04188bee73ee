"""Refuses settings that do not fit the models before anything is run, not minutes later in the step that needs them."""

from __future__ import annotations

from torch import nn

from retrieval.config.schema import BiEncoderConfig, CrossEncoderConfig, TrainingConfig
from retrieval.errors import TrainingError
from retrieval.models.bi_encoder import bi_encoder_from
from retrieval.models.cross_encoder import cross_encoder_from
from retrieval.training.freezing import prepared


def check_models(bi_encoder: BiEncoderConfig, cross_encoder: CrossEncoderConfig) -> None:
    """Load both models as a training would and see that something of each is left to learn.

    Args:
        bi_encoder: Base, layers, lengths and training.
        cross_encoder: The same; may start from the bi-encoder.

    Raises:
        ConfigError: If a base's name or a number of layers is wrong.
        ModelError: If a base cannot be read, or is too short for the configured lengths.
        TrainingError: If more is frozen than there is, or nothing would learn.
    """
    encoder = bi_encoder_from(bi_encoder)
    reranker = cross_encoder_from(cross_encoder, encoder)
    _check_training("bi_encoder", encoder, bi_encoder.training)
    _check_training("cross_encoder", reranker, cross_encoder.training)


def _check_training(name: str, model: nn.Module, training: TrainingConfig) -> None:
    try:
        with prepared(model, training):
            pass
    except TrainingError as error:
        raise TrainingError(f"{name}: {error}") from error
