"""Shape of a BERT, RoBERTa or XLM-R as its config.json says it, and what of such files cannot be run here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import functional

from retrieval.errors import ModelError

CONFIG_FILE = "config.json"
_FAMILIES = {"bert": 0, "roberta": 1, "xlm-roberta": 1}
"""Model types and the padding id each has where its file names none."""
FAMILIES = frozenset(_FAMILIES)
"""Model types that are run here; `transformers_backbone` runs others."""
_TANH_GELU = partial(functional.gelu, approximate="tanh")
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_python": functional.gelu,
    "gelu_new": _TANH_GELU,
    "gelu_fast": _TANH_GELU,
    "gelu_pytorch_tanh": _TANH_GELU,
    "relu": functional.relu,
    "silu": functional.silu,
    "swish": functional.silu,
}
_OF_ANOTHER_FILE = ("_name_or_path", "torch_dtype", "dtype", "transformers_version")
"""What a file says of the weights beside it; those that are written are float32."""


@dataclass(frozen=True)
class BackboneConfig:
    """Shape of an encoder, under the names that ``config.json`` has for it.

    Attributes:
        model_type: ``bert``, ``roberta`` or ``xlm-roberta``.
        vocab_size: Rows of the embedding table.
        hidden_size: D, numbers of a token vector.
        num_hidden_layers: Transformer layers.
        num_attention_heads: Heads, D / heads numbers each.
        intermediate_size: Numbers between the two linears of a layer.
        max_position_embeddings: Rows of the position table.
        type_vocab_size: Token types.
        pad_token_id: In RoBERTa and XLM-R positions start after it.
        layer_norm_eps: Added to variances.
        hidden_act: ``gelu``, ``gelu_new``, ``relu`` or ``silu``, or another name of these.
        others: What else the file says; kept, not used.
    """

    model_type: str
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = 2
    pad_token_id: int = 0
    layer_norm_eps: float = 1e-12
    hidden_act: str = "gelu"
    others: dict[str, Any] = field(default_factory=dict)

    @property
    def first_position(self) -> int:
        """Position of a row's first token: 0 in BERT, after the padding id in RoBERTa and XLM-R."""
        return 0 if self.model_type == "bert" else self.pad_token_id + 1

    @property
    def max_tokens(self) -> int:
        """Longest row that has positions."""
        return self.max_position_embeddings - self.first_position

    def write(self, folder: Path) -> None:
        """Write ``config.json``, as transformers reads it."""
        shape = asdict(self)
        kept = {name: value for name, value in shape.pop("others").items() if name not in _OF_ANOTHER_FILE}
        values = kept | shape | {"dtype": "float32"}
        (folder / CONFIG_FILE).write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_config(folder: Path) -> BackboneConfig:
    """Read the ``config.json`` of a folder.

    Raises:
        ModelError: If it is damaged, lacks a size, or describes something this library cannot run.
    """
    path = folder / CONFIG_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        kind = values.get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); give the one saved with the weights") from error
    if not isinstance(kind, str) or kind not in _FAMILIES:
        raise ModelError(
            f"{folder}: model type {kind!r} is not one of {', '.join(_FAMILIES)}; give a model of these, such as a"
            " PhoBERT, an E5 or BGE-M3"
        )
    if values.get("pad_token_id") is None:
        values["pad_token_id"] = _FAMILIES[kind]
    known = {one.name: one.type for one in fields(BackboneConfig) if one.name != "others"}
    try:
        given = {name: _number(values[name], name, kind) for name, kind in known.items() if name in values}
        config = BackboneConfig(**given, others={name: values[name] for name in values if name not in known})
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); give the one saved with the weights") from error
    _refuse_what_differs(config, path)
    return config


def _number(value: object, name: str, kind: object) -> Any:  # noqa: ANN401
    expected: Any = {"int": int, "float": (int, float)}.get(str(kind), str)
    least = 0 if name == "pad_token_id" else 1
    if not isinstance(value, expected) or isinstance(value, bool) or (isinstance(value, int) and value < least):
        raise ValueError(f"{name} is {value!r}")
    return value


def _refuse_what_differs(config: BackboneConfig, path: Path) -> None:
    """Raise on what would give other vectors than the model's own code."""
    if config.hidden_act not in ACTIVATIONS:
        raise ModelError(
            f"{path}: hidden_act {config.hidden_act!r} is not one of {', '.join(ACTIVATIONS)}; give another"
        )
    if config.hidden_size % config.num_attention_heads or config.max_tokens < 1:
        raise ModelError(
            f"{path}: hidden_size {config.hidden_size} for {config.num_attention_heads} heads, and"
            f" {config.max_position_embeddings} positions of which rows begin at number {config.first_position}, do not"
            " fit; give the config.json that was saved with the weights"
        )
    if config.others.get("is_decoder"):
        raise ModelError(f"{path}: a decoder (is_decoder is true); give an encoder")
    kind = config.others.get("position_embedding_type") or "absolute"
    if kind != "absolute":
        raise ModelError(f"{path}: positions of type {kind!r}; give a model with absolute positions")
