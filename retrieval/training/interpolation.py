"""Weights between the base and the trained ones: most of what was learnt, less of what was forgotten."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from retrieval.config.schema import TrainingConfig
from retrieval.training.freezing import frozen_modules


def learning_weights(model: nn.Module, config: TrainingConfig) -> dict[str, Tensor]:
    """Copies of the weights that training will change, by parameter name."""
    frozen = {id(parameter) for module in frozen_modules(model, config) for parameter in module.parameters()}
    return {name: value.detach().clone() for name, value in model.named_parameters() if id(value) not in frozen}


@torch.no_grad()
def interpolate(model: nn.Module, start: Mapping[str, Tensor], trained_share: float) -> None:
    """Move a trained model back towards its start, in place (WiSE-FT: Wortsman et al., 2022).

    Args:
        model: Trained.
        start: Its weights before training, by parameter name.
        trained_share: a in ``(1 - a) * start + a * trained``, within [0, 1].
    """
    for name, value in model.named_parameters():
        if name in start:
            value.copy_(torch.lerp(start[name].to(value), value, trained_share))
