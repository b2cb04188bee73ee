"""Heads of cross-encoders: from a pooled vector to one relevance logit."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

from retrieval.models.split_cross_encoder import InteractionHead


class LinearHead(nn.Module):
    """A linear on the pooled vector; no dropout."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.out = nn.Linear(dimension, 1)
        generator = torch.Generator().manual_seed(0)  # the same head whatever was drawn before
        nn.init.normal_(self.out.weight, std=0.02, generator=generator)
        nn.init.zeros_(self.out.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, D) to (B,) logits."""
        logits: Tensor = self.out(pooled)
        return logits.squeeze(-1)


class DenseHead(nn.Module):
    """Tanh layer, then linear: the head of RobertaForSequenceClassification, without its dropout."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dense = nn.Linear(dimension, dimension)
        self.out = nn.Linear(dimension, 1)

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, D) to (B,) logits."""
        logits: Tensor = self.out(torch.tanh(self.dense(pooled)))
        return logits.squeeze(-1)


class OwnHead(nn.Module):
    """Of a `Classifier`, which gives logits already."""

    def forward(self, logits: Tensor) -> Tensor:
        """(B, 1) to (B,) logits."""
        return logits.squeeze(-1)


Head: TypeAlias = LinearHead | DenseHead | InteractionHead | OwnHead
HEADS: dict[str, type[Head]] = {"linear": LinearHead, "dense": DenseHead, "interaction": InteractionHead}
