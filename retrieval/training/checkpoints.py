"""Training state on disk: the last resumable step and the best weights so far, each whole or absent, without pickle."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from retrieval.errors import ArtifactError, TrainingError
from retrieval.folders import verify_folder, write_folder

logger = logging.getLogger(__name__)

_STATE = "state.json"
_WEIGHTS = "weights.safetensors"
_OPTIMIZER = "optimizer.safetensors"
_RANDOM = "random.safetensors"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class EpochResult:
    """What one epoch came to.

    Attributes:
        epoch: From 1.
        loss: Mean over its steps, in nats.
        score: Validation MRR@10 after it; NaN where nothing validates.
        seconds: Training and validation together.
    """

    epoch: int
    loss: float
    score: float
    seconds: float


@dataclass
class Progress:
    """Where training stands; the only record in this library that changes in place.

    Attributes:
        epoch: Finished epochs.
        position: Batches done in the running epoch.
        step: Optimiser steps done.
        losses: Loss of every step, in nats.
        history: Results of the finished epochs.
        best_epoch: Epoch of the best validation, from 1; 0 before the first.
        best_score: Its MRR@10; -inf before the first.
        seconds: Time spent, over all interruptions.
        epoch_seconds: Part of it spent in the running epoch.
        finished: Whether nothing is left to do.
    """

    epoch: int = 0
    position: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list)
    history: list[EpochResult] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = float("-inf")
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    finished: bool = False


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters that learn, by name, in the model's order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def save_checkpoint(
    folder: Path, identity: str, progress: Progress, model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write all that is needed to go on from this step, then drop what it replaces.

    A kill at any moment leaves at least the checkpoint before. A finished training keeps no optimiser state.

    Args:
        folder: Where the checkpoints of one training live.
        identity: What a later run must match to resume from here.
        progress: Where training stands.
        model: Its trainable weights are saved, its frozen ones are not.
        optimizer: AdamW over those weights.
    """
    target = folder / f"step-{progress.step:08d}{'-end' if progress.finished else ''}"
    with write_folder(target) as staging:
        state = {"identity": identity, **asdict(progress)}
        (staging / _STATE).write_text(json.dumps(state, indent=1), encoding="utf-8")
        _save_tensors(staging / _RANDOM, random_state())
        if not progress.finished:
            _save_tensors(staging / _WEIGHTS, dict(trainable(model)))
            _save_tensors(staging / _OPTIMIZER, _moments(model, optimizer))
    _keep_only(folder, {target.name, _best_folder(folder, progress.best_epoch).name})


def load_checkpoint(folder: Path, identity: str, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress | None:
    """Put model, optimiser and random state back to the newest whole checkpoint of the same training.

    Args:
        folder: Where the checkpoints of one training live; need not exist.
        identity: As given to `save_checkpoint`; checkpoints of another training are passed over.
        model: Receives the weights.
        optimizer: Receives its moments.

    Returns:
        Where training stood; None where there is nothing to resume.
    """
    for path in sorted(folder.glob("step-*"), reverse=True):
        try:
            verify_folder(path)
        except ArtifactError as error:
            logger.warning("checkpoint passed over: %s", error)
            continue
        state = json.loads((path / _STATE).read_text(encoding="utf-8"))
        if state.pop("identity") != identity:
            logger.warning("%s: checkpoint of another configuration, data or model; training starts anew", path)
            continue
        state["history"] = [EpochResult(**result) for result in state["history"]]
        progress = Progress(**state)
        if not progress.finished:
            _restore(path, model, optimizer)
        return progress
    return None


def _restore(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    load_weights(path, model)
    moments = load_file(path / _OPTIMIZER)
    for name, parameter in trainable(model).items():
        state = {key: moments[f"{name}.{key}"].to(parameter.device) for key in _MOMENTS if f"{name}.{key}" in moments}
        if state:
            optimizer.state[parameter] = state
    _set_random_state(load_file(path / _RANDOM))


def save_best(folder: Path, epoch: int, model: nn.Module) -> None:
    """Keep the trainable weights of the best epoch so far; a later `save_checkpoint` drops older ones."""
    with write_folder(_best_folder(folder, epoch)) as staging:
        _save_tensors(staging / _WEIGHTS, dict(trainable(model)))


def load_best(folder: Path, epoch: int, model: nn.Module) -> None:
    """Put the weights of the best epoch into the model.

    Raises:
        ArtifactError: If they are missing or were altered.
    """
    path = _best_folder(folder, epoch)
    verify_folder(path)
    load_weights(path, model)


def load_weights(path: Path, model: nn.Module) -> None:
    """Copy saved trainable weights into a model.

    Raises:
        TrainingError: If the model learns other weights than the folder holds.
    """
    weights, parameters = load_file(path / _WEIGHTS), trainable(model)
    if weights.keys() != parameters.keys():
        differing = sorted(weights.keys() ^ parameters.keys())
        raise TrainingError(f"{path}: holds other weights than this model learns ({differing[0]}); delete the folder")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])


def random_state() -> dict[str, Tensor]:
    """State of torch's random numbers on the processor and each accelerator."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), **{f"cuda{index}": state for index, state in enumerate(cuda)}}


def _set_random_state(state: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    cuda = [state[f"cuda{index}"] for index in range(len(state) - 1)]
    if cuda:
        torch.cuda.set_rng_state_all(cuda)


def _moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value
        for name, parameter in trainable(model).items()
        for key, value in optimizer.state.get(parameter, {}).items()
        if key in _MOMENTS
    }


def _save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)


def _best_folder(folder: Path, epoch: int) -> Path:
    return folder / f"best-{epoch:04d}"


def _keep_only(folder: Path, names: set[str]) -> None:
    for path in folder.iterdir():
        leftover = path.name.lstrip(".").startswith(("step-", "best-")) and path.is_dir()
        if leftover and path.name not in names:
            shutil.rmtree(path, ignore_errors=True)
