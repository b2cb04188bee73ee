"""BERT, RoBERTa and XLM-R encoders over rows laid end to end, so that no product is spent on padding.

Parameters have the names of ``transformers``' bare models, which read each other's folders. There is no dropout: in one
or two epochs of fine-tuning it costs more time than it gives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from retrieval.errors import ModelError
from retrieval.models.backbone.attention import Layout, attend, layout_of
from retrieval.models.projections import Projections

CONFIG_FILE = "config.json"
_FAMILIES = {"bert": 0, "roberta": 1, "xlm-roberta": 1}
"""Model types and the padding id each has where its file names none."""
FAMILIES = frozenset(_FAMILIES)
"""Model types that are run here; `transformers_backbone` runs others."""
_TANH_GELU = partial(functional.gelu, approximate="tanh")
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
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
    if config.hidden_act not in _ACTIVATIONS:
        raise ModelError(
            f"{path}: hidden_act {config.hidden_act!r} is not one of {', '.join(_ACTIVATIONS)}; give another"
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


class Backbone(nn.Module):
    """The encoder without pooler; its weights are to be loaded.

    Attributes:
        config: Its shape.
        embeddings: Tables of words, positions and token types, and their normalisation.
        encoder: ``layer`` holds the transformer layers, lowest first.
        projections: Modules after the pooling; see `backbone_protocol.Backbone`.
    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.encoder = _Encoder(config)
        self.projections = Projections()

    @property
    def layers(self) -> Sequence[nn.Module]:
        """Transformer layers, lowest first."""
        return list(self.encoder.layer)

    @property
    def below_layers(self) -> Sequence[nn.Module]:
        """The embeddings."""
        return [self.embeddings]

    def weights(self) -> dict[str, Tensor]:
        """Tensors by the names that transformers' bare model has for them, without the projections."""
        return {name: tensor for name, tensor in self.state_dict().items() if not name.startswith("projections.")}

    def forward(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Tensor:
        """Token vectors of some rows.

        Args:
            rows: B rows of token ids, N tokens in all, none of them padding; best sorted by length.
            types: Token types in the same shape; None means all 0.

        Returns:
            (N, D), rows end to end.
        """
        return self.run(self.embed(rows, types), [len(row) for row in rows])

    def embed(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Tensor:
        """(N, D) token vectors below the first layer."""
        embedded: Tensor = self.embeddings(rows, types)
        return embedded

    def run(self, hidden: Tensor, lengths: Sequence[int], first: int = 0, last: int | None = None) -> Tensor:
        """Some of the layers, one after another.

        Args:
            hidden: (N, D) token vectors below layer ``first``, rows end to end.
            lengths: Tokens of each row; neighbours of one length run as one attention.
            first: First layer to run.
            last: Layer to stop before; None runs all that follow.

        Returns:
            (N, D) token vectors.
        """
        layout = layout_of(lengths, hidden.device)
        for layer in self.encoder.layer[first:last]:
            hidden = layer(hidden, layout)
        return hidden

    def keep_layers(self, layers: int) -> None:
        """Drop all but so many of the lowest layers."""
        self.encoder.layer = self.encoder.layer[:layers]
        self.config = replace(self.config, num_hidden_layers=layers)


class _Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Draw nothing: weights are always loaded, and torch's compiler is loaded to draw on no device."""


class _Table(nn.Embedding):
    def reset_parameters(self) -> None:
        """As of `_Linear`."""


class _Norm(nn.LayerNorm):
    def reset_parameters(self) -> None:
        """As of `_Linear`."""


class _Embeddings(nn.Module):
    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.first_position = config.first_position
        self.not_counted = None if config.model_type == "bert" else config.pad_token_id
        self.word_embeddings = _Table(config.vocab_size, width)
        self.position_embeddings = _Table(config.max_position_embeddings, width)
        self.token_type_embeddings = _Table(config.type_vocab_size, width)
        self.LayerNorm = _Norm(width, eps=config.layer_norm_eps)

    def forward(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None) -> Tensor:
        device = self.word_embeddings.weight.device
        if not rows or not all(rows):
            raise ValueError(f"rows: got {len(rows)} rows, some empty or none at all; every row needs a token")
        ids = torch.tensor([token for row in rows for token in row], device=device)
        places = torch.cat([self._places(row) for row in rows]).to(device)
        hidden = self.word_embeddings(ids)
        if types is None:
            hidden += self.token_type_embeddings.weight[0]
        else:
            hidden += self.token_type_embeddings(torch.tensor([kind for row in types for kind in row], device=device))
        hidden += self.position_embeddings(places)
        normed: Tensor = self.LayerNorm(hidden)
        return normed

    def _places(self, row: Sequence[int]) -> Tensor:
        """Numbers of a row's tokens in the position table.

        RoBERTa does not count padding tokens, which all have the number of their id: a text may hold ``<pad>``.
        """
        if self.not_counted is None or self.not_counted not in row:
            return torch.arange(self.first_position, self.first_position + len(row))
        counted = torch.tensor([token != self.not_counted for token in row])
        return counted.cumsum(0) * counted + self.not_counted


class _Encoder(nn.Module):
    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))


class _Layer(nn.Module):
    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.attention = _Attention(config)
        self.intermediate = nn.ModuleDict({"dense": _Linear(width, inner)})
        self.output = _Output(inner, config)
        self.activation = _ACTIVATIONS[config.hidden_act]

    def forward(self, hidden: Tensor, layout: Layout) -> Tensor:
        hidden = self.attention(hidden, layout)
        result: Tensor = self.output(self.activation(self.intermediate["dense"](hidden)), hidden)
        return result


class _Attention(nn.Module):
    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.self = nn.ModuleDict({name: _Linear(width, width) for name in ("query", "key", "value")})
        self.output = _Output(width, config)

    def forward(self, hidden: Tensor, layout: Layout) -> Tensor:
        shape = (len(hidden), self.heads, -1)
        query, key, value = (self.self[name](hidden).view(shape) for name in ("query", "key", "value"))  # (N, H, D / H)
        result: Tensor = self.output(attend(query, key, value, layout).flatten(1), hidden)
        return result


class _Output(nn.Module):
    def __init__(self, inner: int, config: BackboneConfig) -> None:
        super().__init__()
        self.dense = _Linear(inner, config.hidden_size)
        self.LayerNorm = _Norm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, tokens: Tensor, residual: Tensor) -> Tensor:
        result: Tensor = self.LayerNorm(self.dense(tokens) + residual)
        return result
