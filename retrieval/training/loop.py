"""The one training loop: steps, schedule, validation, best weights, and resuming after a kill as if unbroken."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NoReturn, Protocol, TypeVar

import torch
from torch import nn
from tqdm import tqdm

from retrieval.config.schema import TrainingConfig
from retrieval.errors import TrainingError
from retrieval.models.backbone.batching import CPU_PASS_TOKENS, even_batches, token_budget_batches
from retrieval.runtime import Runtime
from retrieval.training.checkpoints import (
    EpochResult,
    Progress,
    load_best,
    load_checkpoint,
    save_best,
    save_checkpoint,
    trainable,
)
from retrieval.training.freezing import prepared

logger = logging.getLogger(__name__)

Log = Callable[[str, float, int], None]
"""Receives a metric's name, its value and the optimiser step."""

Batch = TypeVar("Batch")
LOG_STEPS = 10


class Task(Protocol[Batch]):
    """What one kind of model brings to the loop."""

    @property
    def name(self) -> str:
        """Shown beside the progress bar."""

    @property
    def model(self) -> nn.Module:
        """What learns."""

    @property
    def fingerprint(self) -> str:
        """Tells one training set from another."""

    def batches(self, epoch: int) -> Sequence[Batch]:
        """Batches of an epoch (from 0), the same whenever asked; every epoch has as many."""

    def backward(self, batch: Batch) -> float:
        """Add the gradients of the batch's mean loss to the model's and return that loss, in nats."""


@dataclass(frozen=True)
class TrainingReport:
    """How a training went.

    Attributes:
        history: Results of each epoch.
        losses: Loss of every step, in nats.
        best_epoch: Epoch whose weights the model now has, from 1.
        best_score: Its validation MRR@10; NaN where nothing validated.
        steps: Optimiser steps.
        seconds: Time spent, over all interruptions.
    """

    history: tuple[EpochResult, ...]
    losses: tuple[float, ...]
    best_epoch: int
    best_score: float
    steps: int
    seconds: float


def forward_precision(runtime: Runtime) -> AbstractContextManager[object]:
    """Autocast to the runtime's precision; nothing where that is float32."""
    return torch.autocast(runtime.device.type, dtype=runtime.precision) if runtime.autocast else nullcontext()


def forward_passes(lengths: Sequence[int], config: TrainingConfig, runtime: Runtime) -> list[list[int]]:
    """Row numbers that go through a model together, by the rows' lengths in tokens; shortest first.

    A pass holds at most ``config.token_budget`` tokens, on a CPU no more than is fastest there; on a GPU, where
    attention pads, each row counts as the longest.
    """
    if runtime.device.type != "cpu":
        return token_budget_batches(lengths, config.token_budget)
    return even_batches(lengths, min(config.token_budget, CPU_PASS_TOKENS[runtime.precision]))


def rate_at(step: int, steps: int, config: TrainingConfig) -> float:
    """Learning rate of a step (from 0): linear warm-up, then linear decay that would reach 0 at ``steps``."""
    warmup = round(config.warmup_share * steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    return config.learning_rate * (steps - step) / max(1, steps - warmup)


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """Fused AdamW over the learning weights; biases and normalisation weights do not decay (Devlin et al., 2019)."""
    parameters = list(trainable(model).values())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=config.learning_rate, fused=True)


def fit(
    task: Task[Batch],
    config: TrainingConfig,
    seed: int,
    runtime: Runtime,
    checkpoint_folder: Path,
    validate: Callable[[], float] | None,
    log: Log,
) -> TrainingReport:
    """Train a task's model in place and leave the weights of its best epoch in it.

    A run that was killed and is started again with the same arguments goes on from its last checkpoint and ends with
    the same weights, bit for bit, as one that was never stopped; a finished one only loads its result.

    Args:
        task: Model, batches and backward pass.
        config: Epochs, rates, freezing, checkpoints.
        seed: Of what a model draws; the task's batches have their own.
        runtime: Where to compute and how precisely.
        checkpoint_folder: Belongs to this training alone.
        validate: Gives MRR@10 of the model, which is in evaluation mode meanwhile; None keeps the last epoch's weights.
        log: Receives metrics.

    Raises:
        TrainingError: If there is nothing to train on or to train, or the loss is no longer finite.
    """
    model = task.model.to(runtime.device)
    with prepared(model, config), torch.random.fork_rng():
        torch.manual_seed(seed)
        return _Fit(task, config, runtime, checkpoint_folder, validate, log, seed).run()


class _Fit(Generic[Batch]):
    """One call of `fit`."""

    def __init__(
        self,
        task: Task[Batch],
        config: TrainingConfig,
        runtime: Runtime,
        folder: Path,
        validate: Callable[[], float] | None,
        log: Log,
        seed: int,
    ) -> None:
        self.task, self.config, self.runtime, self.folder = task, config, runtime, folder
        self.validate, self.log = validate, log
        self.model = task.model
        self.optimizer = make_optimizer(self.model, config)
        self.identity = self._identity(seed)
        self.progress = load_checkpoint(folder, self.identity, self.model, self.optimizer) or Progress()
        per_epoch = len(task.batches(0))
        if per_epoch == 0:
            raise TrainingError(f"{task.name}: no training batches; give it more training queries")
        limit = config.max_steps or config.epochs * per_epoch
        self.steps = min(limit, config.epochs * per_epoch)

    def _identity(self, seed: int) -> str:
        """SHA-256 over everything that decides the outcome: settings, data, seed, precision, starting weights."""
        digest = hashlib.sha256(self.config.model_dump_json(exclude={"checkpoint_steps"}).encode())
        digest.update(f"{self.task.fingerprint} {seed} {self.runtime.precision} {self.runtime.device.type}".encode())
        for name, parameter in trainable(self.model).items():
            digest.update(f"{name}{tuple(parameter.shape)}".encode())
            digest.update(parameter.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def run(self) -> TrainingReport:
        progress = self.progress
        if progress.step and not progress.finished:
            logger.info("%s: resuming after step %d of %d", self.task.name, progress.step, self.steps)
        with tqdm(total=self.steps, initial=progress.step, desc=self.task.name, unit="step") as bar:
            while not progress.finished:
                self._epoch(bar)
                self._close_epoch()
        if progress.best_epoch:
            load_best(self.folder, progress.best_epoch, self.model)
        return TrainingReport(
            tuple(progress.history),
            tuple(progress.losses),
            progress.best_epoch,
            progress.best_score,
            progress.step,
            progress.seconds,
        )

    def _epoch(self, bar: tqdm[NoReturn]) -> None:
        progress = self.progress
        batches = self.task.batches(progress.epoch)
        while progress.position < len(batches) and progress.step < self.steps:
            with self._clock():
                progress.losses.append(self._step(batches[progress.position]))
            progress.position += 1
            progress.step += 1
            bar.set_postfix(loss=f"{progress.losses[-1]:.4f}", refresh=False)
            bar.update()
            if progress.step % self.config.checkpoint_steps == 0:
                save_checkpoint(self.folder, self.identity, progress, self.model, self.optimizer)

    def _step(self, batch: Batch) -> float:
        step = self.progress.step
        rate = rate_at(step, self.steps, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        started = time.perf_counter()
        loss = self.task.backward(batch)
        norm = float(nn.utils.clip_grad_norm_(trainable(self.model).values(), self.config.max_gradient_norm))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingError(
                f"{self.task.name}: step {step + 1} of {self.steps}: loss {loss}, gradient norm {norm};"
                f" lower training.learning_rate (now {self.config.learning_rate}) or set precision to float32"
            )
        self.optimizer.step()
        # fused AdamW changes weights without telling; whoever keeps a copy of them watches the version
        torch.autograd.graph.increment_version(list(trainable(self.model).values()))
        self.optimizer.zero_grad(set_to_none=True)
        if step % LOG_STEPS == 0 or step + 1 == self.steps:
            recent = [*self.progress.losses[-(LOG_STEPS - 1) :], loss]
            self.log("train_loss", sum(recent) / len(recent), step + 1)
            self.log("learning_rate", rate, step + 1)
            self.log("gradient_norm", norm, step + 1)
            self.log("steps_per_second", 1.0 / (time.perf_counter() - started), step + 1)
        return loss

    def _close_epoch(self) -> None:
        progress = self.progress
        losses = progress.losses[-progress.position :]
        with self._clock():
            score = self._validated()
        progress.epoch += 1
        if score > progress.best_score or progress.best_epoch == 0 or self.validate is None:
            progress.best_epoch, progress.best_score = progress.epoch, score
            save_best(self.folder, progress.epoch, self.model)
        result = EpochResult(progress.epoch, sum(losses) / len(losses), score, progress.epoch_seconds)
        progress.history.append(result)
        progress.position, progress.epoch_seconds = 0, 0.0
        progress.finished = progress.step >= self.steps or self._patience_spent()
        logger.info("%s: epoch %d: loss %.4f, validation MRR@10 %.4f", self.task.name, result.epoch, result.loss, score)
        self.log("epoch_loss", result.loss, progress.step)
        if self.validate is not None:
            self.log("validation_mrr_at_10", score, progress.step)
        save_checkpoint(self.folder, self.identity, progress, self.model, self.optimizer)

    def _validated(self) -> float:
        if self.validate is None:
            return math.nan
        self.model.eval()
        try:
            return self.validate()
        finally:
            self.model.train()

    def _patience_spent(self) -> bool:
        patience = self.config.patience_epochs
        return bool(self.validate and patience and self.progress.epoch - self.progress.best_epoch >= patience)

    @contextmanager
    def _clock(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        passed = time.perf_counter() - started
        self.progress.seconds += passed
        self.progress.epoch_seconds += passed
