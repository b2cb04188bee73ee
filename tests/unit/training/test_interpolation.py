"""Weights between the base and the trained ones."""

import pytest
import torch
from torch import nn

from retrieval.config.schema import TrainingConfig
from retrieval.training.interpolation import interpolate, learning_weights


class Toy(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = nn.Embedding(3, 2)
        self.out = nn.Linear(2, 1)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_kept_weights_lie_between_start_and_trained_at_the_share(share):
    model = Toy()
    start = learning_weights(model, TrainingConfig(freeze_embeddings=True))
    before = model.out.weight.detach().clone()
    with torch.no_grad():
        model.out.weight += 4.0
        model.embeddings.weight += 1.0
    embeddings = model.embeddings.weight.detach().clone()
    interpolate(model, start, share)
    torch.testing.assert_close(model.out.weight.detach(), before + 4.0 * share)
    assert torch.equal(model.embeddings.weight, embeddings)


def test_only_weights_that_learn_are_copied():
    assert set(learning_weights(Toy(), TrainingConfig(freeze_embeddings=True))) == {"out.weight", "out.bias"}
