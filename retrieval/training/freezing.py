"""Which weights learn: all but frozen embeddings and lowest layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from torch import nn

from retrieval.config.schema import TrainingConfig
from retrieval.errors import ModelError, TrainingError
from retrieval.models.backbone.transformers_backbone import TransformersBackbone


@contextmanager
def prepared(model: nn.Module, config: TrainingConfig) -> Iterator[None]:
    """Freeze what the configuration says and put the model into training mode; everything is as before afterwards.

    Frozen modules sit below the learning ones, so autograd keeps nothing of them: they cost their forward pass only.

    Args:
        model: Has its transformer in ``backbone``, or is one.
        config: ``freeze_embeddings`` and ``freeze_layers`` count.

    Raises:
        TrainingError: If there is nothing to freeze by that name, or nothing would be left to learn.
    """
    flags = {parameter: parameter.requires_grad for parameter in model.parameters()}
    was_training = model.training
    try:
        for module in frozen_modules(model, config):
            module.requires_grad_(requires_grad=False)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise TrainingError("every weight is frozen, so nothing would learn; lower training.freeze_layers")
        model.train()
        yield
    finally:
        model.train(was_training)
        for parameter, flag in flags.items():
            parameter.requires_grad_(flag)


def frozen_modules(model: nn.Module, config: TrainingConfig) -> list[nn.Module]:
    """The embeddings and lowest layers that stay as they are.

    Raises:
        TrainingError: If the model has no such modules or fewer layers.
    """
    backbone = getattr(model, "backbone", model)
    frozen: list[nn.Module] = []
    if config.freeze_embeddings or config.freeze_layers:
        below = _below_layers(backbone)
        if not below:
            raise TrainingError(
                f"{type(backbone).__name__} has no module named embeddings to freeze; set training.freeze_embeddings"
                " to false and training.freeze_layers to 0"
            )
        frozen.extend(below)
    if config.freeze_layers:
        layers = _layers(backbone)
        if config.freeze_layers > len(layers):
            raise TrainingError(
                f"training.freeze_layers is {config.freeze_layers} but {type(backbone).__name__} has {len(layers)}"
                f" layers; set it to {len(layers)} or less"
            )
        frozen.extend(layers[: config.freeze_layers])
    return frozen


def _below_layers(backbone: nn.Module) -> Sequence[nn.Module]:
    """The embeddings, and with them what else the first layer is fed by."""
    if isinstance(backbone, TransformersBackbone):
        return _of_transformers(lambda: backbone.below_layers)
    embeddings = getattr(backbone, "embeddings", None)
    return [embeddings] if isinstance(embeddings, nn.Module) else []


def _of_transformers(modules: Callable[[], Sequence[nn.Module]]) -> Sequence[nn.Module]:
    try:
        return modules()
    except ModelError as error:
        raise TrainingError(str(error)) from error


def _layers(backbone: nn.Module) -> Sequence[nn.Module]:
    if isinstance(backbone, TransformersBackbone):
        return _of_transformers(lambda: backbone.layers)
    layers = getattr(getattr(backbone, "encoder", None), "layer", None)
    if not isinstance(layers, nn.ModuleList):
        raise TrainingError(f"{type(backbone).__name__} has no encoder.layer list; set training.freeze_layers to 0")
    return list(layers)
