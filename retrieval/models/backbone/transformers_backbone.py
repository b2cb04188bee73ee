"""Encoders and decoders that only transformers knows, behind the same unpadded interface as the fast backbone.

Rows are padded inside, at their end: a mask keeps padding out of attention, and under a causal mask no token sees what
follows it, so that every token vector is the one of its row alone. Dropout stays off in training, as in the fast one.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from retrieval.errors import ModelError
from retrieval.models.backbone.bert_config import CONFIG_FILE
from retrieval.models.projections import Projections

_OF_ANOTHER_FILE = ("_name_or_path", "torch_dtype", "dtype", "transformers_version", "auto_map")
_PER_LAYER = ("layer_types", "no_rope_layers")
"""Lists with one entry a layer."""


@dataclass(frozen=True)
class TransformersConfig:
    """What is asked of a ``config.json`` of any family; attributes as of `backbone_protocol.Shape`.

    Attributes:
        others: The file as it was read: what transformers makes of it in memory is not always what it reads.
        layers_name: What the file calls the number of layers.
    """

    model_type: str
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    type_vocab_size: int
    max_tokens: int
    others: Mapping[str, Any]
    layers_name: str = "num_hidden_layers"

    def write(self, folder: Path) -> None:
        """Write ``config.json``, as transformers reads it."""
        kept = {name: value for name, value in self.others.items() if name not in _OF_ANOTHER_FILE}
        lists = {name: kept[name][: self.num_hidden_layers] for name in _PER_LAYER if isinstance(kept.get(name), list)}
        values = kept | lists | {self.layers_name: self.num_hidden_layers, "dtype": "float32"}
        (folder / CONFIG_FILE).write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


class TransformersBackbone(nn.Module):
    """A bare model of transformers.

    Attributes:
        config: Its shape.
        model: The model; gives ``last_hidden_state``.
        projections: Modules after the pooling.
    """

    def __init__(self, model: nn.Module, config: TransformersConfig) -> None:
        """Wrap a model.

        Args:
            model: Of transformers, without a head.
            config: Read from the same folder.
        """
        super().__init__()
        self.config = config
        self.model = model
        self.projections = Projections()
        pad = getattr(model.config, "pad_token_id", None)
        # some families count positions by what is not this id
        self._pad_id = pad if isinstance(pad, int) and 0 <= pad < config.vocab_size else 0
        self._takes_types = "token_type_ids" in inspect.signature(model.forward).parameters

    def train(self, mode: bool = True) -> TransformersBackbone:
        """Set the mode of all but the model, whose only difference between modes is dropout."""
        super().train(mode)
        self.model.eval()
        return self

    def forward(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Tensor:
        """Token vectors of some rows; see `backbone_protocol.Backbone`."""
        if not rows or not all(rows):
            raise ValueError(f"rows: got {len(rows)} rows, some empty or none at all; every row needs a token")
        device = next(self.model.parameters()).device
        lengths = torch.tensor([len(row) for row in rows])
        mask = torch.arange(int(lengths.max())) < lengths[:, None]  # (B, T)
        inputs = {"input_ids": _padded(rows, self._pad_id), "attention_mask": mask.long()}
        if types is not None and self._takes_types:
            inputs["token_type_ids"] = _padded(types, 0)
        inputs = {name: tensor.to(device) for name, tensor in inputs.items()}
        hidden: Tensor = self.model(**inputs).last_hidden_state  # (B, T, D)
        return hidden[mask.to(device)]

    @property
    def layers(self) -> Sequence[nn.Module]:
        """Transformer layers, lowest first; see `backbone_protocol.Backbone`."""
        owner, name = self._layer_list()
        return list(getattr(owner, name))

    @property
    def below_layers(self) -> Sequence[nn.Module]:
        """What stands before the list of layers at any depth, and tables of relative positions beside it.

        Of a model without such a list it is the table of words.
        """
        try:
            owner, name = self._layer_list()
        except ModelError:
            model: Any = self.model
            return [model.get_input_embeddings()]
        found: list[nn.Module] = []
        path = _path_to(self.model, owner)
        for parent, child in zip(path, [*path[1:], getattr(owner, name)], strict=True):
            members = list(parent.named_children())
            before = next(number for number, (_, module) in enumerate(members) if module is child)
            found += [module for number, (label, module) in enumerate(members)
                      if number < before or "rel" in label.lower()]  # fmt: skip
        return found

    def keep_layers(self, layers: int) -> None:
        """Drop all but so many of the lowest layers."""
        owner, name = self._layer_list()
        setattr(owner, name, getattr(owner, name)[:layers])
        inner: Any = self.model.config
        for key in _PER_LAYER:
            if isinstance(getattr(inner, key, None), list):
                setattr(inner, key, getattr(inner, key)[:layers])
        inner.num_hidden_layers = layers
        self.config = replace(self.config, num_hidden_layers=layers)

    def weights(self) -> dict[str, Tensor]:
        """Tensors by transformers' names; those that two names share stand under the first."""
        found: dict[tuple[int, torch.Size], tuple[str, Tensor]] = {}
        for name, tensor in self.model.state_dict().items():
            found.setdefault((tensor.data_ptr(), tensor.shape), (name, tensor))
        return dict(found.values())

    def _layer_list(self) -> tuple[nn.Module, str]:
        """The module that has the list of layers, and the name of the list in it."""
        for path, module in self.model.named_modules():
            if isinstance(module, nn.ModuleList) and len(module) == self.config.num_hidden_layers:
                owner, _, name = path.rpartition(".")
                return self.model.get_submodule(owner), name
        raise ModelError(
            f"{type(self.model).__name__} keeps no list of its {self.config.num_hidden_layers} layers, so none can be"
            " frozen or left out; set training.freeze_layers and layers to 0"
        )


def _padded(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """(B, T) rows filled at their end."""
    tensors = [torch.tensor(row) for row in rows]
    return nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value)


def _path_to(root: nn.Module, wanted: nn.Module) -> list[nn.Module]:
    """Modules from the root down to one below it, both included."""
    name = next(name for name, module in root.named_modules() if module is wanted)
    path = [root]
    for part in name.split(".") if name else ():
        path.append(path[-1].get_submodule(part))
    return path
