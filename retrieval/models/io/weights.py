"""Weights of a model folder read without running anything they contain, under one set of names."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from retrieval.errors import ModelError
from retrieval.folders import link_or_copy

SAFETENSORS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_PICKLED = "pytorch_model.bin"
_PICKLED_INDEX = "pytorch_model.bin.index.json"
_PREFIXES = ("roberta.", "bert.")
_RENAMED = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
_BUFFERS = ("position_ids", "token_type_ids")
# RobertaForSequenceClassification and BertForSequenceClassification: a tanh layer, then a linear, on the first token.
_HEAD_NAMES = {
    "classifier.dense.weight": "dense.weight",
    "classifier.dense.bias": "dense.bias",
    "classifier.out_proj.weight": "out.weight",
    "classifier.out_proj.bias": "out.bias",
    "pooler.dense.weight": "dense.weight",
    "pooler.dense.bias": "dense.bias",
    "classifier.weight": "out.weight",
    "classifier.bias": "out.bias",
    "head.dense.weight": "dense.weight",
    "head.dense.bias": "dense.bias",
    "head.out.weight": "out.weight",
    "head.out.bias": "out.bias",
    "head.shares": "shares",
    "head.center": "center",
    "head.spread": "spread",
}
_POOLER = ("pooler.dense.weight", "pooler.dense.bias")
"""Old checkpoints of RobertaForSequenceClassification have one which their head does not use."""


def read_state(folder: Path) -> dict[str, Tensor]:
    """All tensors of a model folder, by the names the file uses.

    Safetensors are taken first. ``pytorch_model.bin`` is read only by torch's weights-only loader, which builds tensors
    and refuses every other object.

    Raises:
        ModelError: If there are no weights, they are cut short, or they hold more than tensors.
    """
    if (folder / SAFETENSORS).is_file():
        return _read_safetensors(folder / SAFETENSORS)
    if (folder / _INDEX).is_file():
        return _read_shards(folder / _INDEX)
    if (folder / _PICKLED).is_file():
        return _read_pickled(folder / _PICKLED)
    if (folder / _PICKLED_INDEX).is_file():
        return _read_shards(folder / _PICKLED_INDEX)
    raise ModelError(f"{folder}: no {SAFETENSORS} nor {_PICKLED}{_others(folder)}")


def _others(folder: Path) -> str:
    """What a folder without readable weights holds instead, and what to do then."""
    kinds = ("*.onnx", "*.gguf", "*.h5", "*.msgpack", "*.safetensors", "*.bin", "onnx", "openvino")
    found = sorted({path.name for kind in kinds for path in folder.glob(kind) if path.exists()})
    if not found:
        return "; copy the model's weights into it, or give the folder that save_pretrained wrote"
    return f", only {', '.join(found[:3])}, which is not read here; save the model with transformers' save_pretrained"


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path}: cut short or damaged ({error}); save or download the model again") from error


def _read_shards(index: Path) -> dict[str, Tensor]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"{index}: not an index of shards ({error}); give the one saved with the shards") from error
    state: dict[str, Tensor] = {}
    for name in names:
        if Path(name).name != name:
            raise ModelError(f"{index}: names the shard {name!r} outside its folder; put the shards beside it")
        path = index.parent / name
        if not path.is_file():
            raise ModelError(f"{path}: missing, though {index.name} lists it; copy or download the rest of the model")
        state |= _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickled(path)
    return state


def _read_pickled(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path}: refused: it is damaged or holds more than tensors ({str(error).splitlines()[0]});"
            f" convert it to {SAFETENSORS}"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"{path}: holds {type(state).__name__}, not named tensors; convert it to {SAFETENSORS}")
    return dict(state)


def write_weights(state: Mapping[str, Tensor], folder: Path, read_from: Path | None = None) -> None:
    """Write ``model.safetensors``.

    Args:
        state: Contiguous tensors on the CPU.
        folder: Where to.
        read_from: A finished folder the tensors may have been read from. Where its file still holds just these, the two
            folders share it, so that a model kept in several places is written once.
    """
    known, target = read_from / SAFETENSORS if read_from else None, folder / SAFETENSORS
    if known and _holds(known, state):
        link_or_copy(known, target)
        return
    save_file(dict(state), target, metadata={"format": "pt"})
    target.chmod(0o644)  # safetensors writes 0600; another user may serve it


def _holds(path: Path, state: Mapping[str, Tensor]) -> bool:
    try:
        with safe_open(path, "pt") as kept:  # mapped, not read: mostly it is in memory
            return set(kept.keys()) == set(state) and all(
                tensor.dtype == other.dtype and torch.equal(tensor, other)
                for tensor, other in ((tensor, kept.get_tensor(name)) for name, tensor in state.items())
            )
    except (SafetensorError, OSError):
        return False


def split_state(state: dict[str, Tensor], layers: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Sort a checkpoint's tensors into backbone and classification head, both as float32.

    Args:
        state: Tensors under the names of a BERT, RoBERTa or XLM-R checkpoint, with or without a head.
        layers: Transformer layers to keep, counted from the lowest.

    Returns:
        Backbone tensors by the names of a bare model, head tensors by the names of `reranker.DenseHead`
        or `reranker.LinearHead`; the latter is empty for an encoder.
    """
    prefix = next((p for p in _PREFIXES if any(name.startswith(p) for name in state)), "")
    backbone, head = {}, {}
    unused = _POOLER if any(name.startswith("classifier.out_proj.") for name in state) else ()
    for name, tensor in state.items():
        bare = name.removeprefix(prefix)
        for old, new in _RENAMED.items():
            bare = bare.replace(old, new)
        if bare in unused:
            continue
        if bare in _HEAD_NAMES:
            head[_HEAD_NAMES[bare]] = tensor.float()
        elif _is_weight(bare) and _layer_of(bare) < layers:
            backbone[bare] = tensor.float()
    return backbone, head if "out.weight" in head else {}


def own_head(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Sort the tensors of a folder that this library wrote into those of any backbone and those of its head."""
    head = {_HEAD_NAMES[name]: tensor.float() for name, tensor in state.items() if name.startswith("head.")}
    return {name: tensor for name, tensor in state.items() if not name.startswith("head.")}, head


def _is_weight(name: str) -> bool:
    """Whether a bare model has this tensor as a parameter; old checkpoints also list its constants."""
    return name.startswith(("embeddings.", "encoder.")) and name.rpartition(".")[2] not in _BUFFERS


def _layer_of(name: str) -> int:
    """Layer number in ``encoder.layer.N.…``; -1 for what lies below the layers."""
    parts = name.split(".")
    return int(parts[2]) if parts[:2] == ["encoder", "layer"] else -1
