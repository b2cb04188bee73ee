"""A tiny training on random numbers, and a script that runs it and can kill itself in the middle."""

from __future__ import annotations

import argparse
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from retrieval.config.schema import TrainingConfig
from retrieval.runtime import Runtime
from retrieval.training.loop import fit

RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)


class ToyModel(nn.Module):
    """Shaped like an encoder: embeddings, a list of layers, a head."""

    def __init__(self, seed: int = 1):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.backbone = nn.Module()
            self.backbone.embeddings = nn.Linear(4, 8)
            self.backbone.encoder = nn.Module()
            self.backbone.encoder.layer = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])
            self.head = nn.Linear(8, 1)

    def forward(self, rows):
        hidden = self.backbone.embeddings(rows)
        for layer in self.backbone.encoder.layer:
            hidden = torch.tanh(layer(hidden))
        return self.head(hidden).squeeze(-1)


@dataclass
class ToyTask:
    """Regression of a sum; every step also draws a random number, so that the random state matters."""

    model: ToyModel
    name: str = "toy"
    fingerprint: str = "toy data"
    steps: int = 8
    done: int = 0
    kill_at: int = -1
    fail_at: int = -1
    seen: list[tuple[int, int]] = field(default_factory=list)

    def batches(self, epoch):
        return [(epoch, position) for position in range(self.steps)]

    def backward(self, batch):
        if self.done == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.done == self.fail_at:
            raise KeyboardInterrupt
        self.done += 1
        self.seen.append(batch)
        rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(batch[0] * 100 + batch[1]))
        loss = (self.model(rows) - rows.sum(1) - 0.1 * torch.randn(6)).square().mean()
        loss.backward()
        return float(loss.detach())


CONFIG = TrainingConfig(epochs=3, checkpoint_steps=3, learning_rate=1e-2, freeze_embeddings=False, patience_epochs=0)


def scores_by_weight(model):
    """A validation that depends on the weights."""
    return lambda: float(model.head.weight.detach().abs().mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kill-at", type=int, default=-1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = ToyTask(ToyModel(), kill_at=arguments.kill_at)
    fit(task, CONFIG, 3, RUNTIME, arguments.folder, scores_by_weight(task.model), lambda *_: None)
