"""A BERT-family forward for CPU evaluation: one QKV product, rows laid end to end without padding, no autograd.

Two sorts of linear: plain ones (float32: the BLAS behind ``torch.nn.functional.linear`` is near the processor's peak)
and oneDNN's packed ones with fused GELU and residual (bfloat16: laid out for AMX and AVX-512 BF16; float32: for a few
tokens at a time). The latter are private operators of torch, so `inference` compares this forward with the plain one
before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from retrieval.models.batching import runs_of_equal_length
from retrieval.models.unpadded import first_position

LinearStep = Callable[[Tensor], Tensor]
ResidualStep = Callable[[Tensor, Tensor], Tensor]
NormStep = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Layer:
    """Steps of one transformer layer, on (N, D) tokens."""

    project: LinearStep
    attended: ResidualStep
    attention_norm: NormStep
    expand: LinearStep
    contract: ResidualStep
    output_norm: NormStep


@dataclass(frozen=True)
class PackedEncoder:
    """The backbone's weights as steps, and what they need to know.

    Attributes:
        embeddings: The backbone's own embedding tables.
        layers: Lowest first.
        heads: Attention heads.
        first_position: Position of a row's first token: 0 in BERT, after the padding id in RoBERTa and XLM-R.
        precision: Of the arithmetic after the embeddings.
    """

    embeddings: nn.Module
    layers: tuple[_Layer, ...]
    heads: int
    first_position: int
    precision: torch.dtype

    @property
    def width(self) -> int:
        """D, numbers of one token vector."""
        table: Any = self.embeddings
        return int(table.word_embeddings.weight.shape[1])

    def forward(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> list[Tensor]:
        """Token vectors of rows sorted by length.

        Args:
            rows: B rows of token ids; rows of one length side by side run as one attention.
            types: Token types in the same shape; None means all 0.

        Returns:
            One tensor (b, T, D) for each run of b rows of length T, in order.
        """
        runs = runs_of_equal_length([len(row) for row in rows])
        hidden = self.run(self.embed(rows, types), runs)
        parts = torch.split(hidden, [count * length for count, length in runs])
        return [p.view(count, length, -1) for p, (count, length) in zip(parts, runs, strict=True)]

    def run(self, hidden: Tensor, runs: Sequence[tuple[int, int]], first: int = 0, last: int | None = None) -> Tensor:
        """Some of the layers, one after another.

        Args:
            hidden: (N, D) token vectors below layer ``first``, rows end to end.
            runs: Neighbouring rows of one length: (number of rows, their length).
            first: First layer to run.
            last: Layer to stop before; None runs all that follow.

        Returns:
            (N, D) token vectors.
        """
        hidden = hidden.to(self.precision)
        for layer in self.layers[first:last]:
            hidden = self._layer(layer, hidden, runs)
        return hidden

    def embed(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Tensor:
        """(N, D) token vectors below the first layer, rows end to end."""
        table: Any = self.embeddings
        ids = torch.tensor([token for row in rows for token in row])
        first = self.first_position
        positions = torch.cat([torch.arange(first, first + len(row)) for row in rows])
        hidden = functional.embedding(ids, table.word_embeddings.weight)
        hidden += functional.embedding(positions, table.position_embeddings.weight)
        if types is None:
            hidden += table.token_type_embeddings.weight[0]
        else:
            kinds = torch.tensor([kind for row in types for kind in row])
            hidden += functional.embedding(kinds, table.token_type_embeddings.weight)
        norm = table.LayerNorm
        normed = functional.layer_norm(hidden, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
        return normed.to(self.precision)  # (N, D)

    def _layer(self, layer: _Layer, hidden: Tensor, runs: Sequence[tuple[int, int]]) -> Tensor:
        context = self._attend(layer.project(hidden), runs)
        hidden = layer.attention_norm(layer.attended(context, hidden))
        return layer.output_norm(layer.contract(layer.expand(hidden), hidden))

    def _attend(self, projected: Tensor, runs: Sequence[tuple[int, int]]) -> Tensor:
        width = projected.shape[1] // 3
        parts = []
        for (count, length), part in zip(runs, torch.split(projected, [c * n for c, n in runs]), strict=True):
            # (b * T, 3 * D) -> 3 of (b, H, T, D / H), without copying
            query, key, value = part.view(count, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
            context = functional.scaled_dot_product_attention(query, key, value)
            parts.append(context.transpose(1, 2).reshape(count * length, width))
        return parts[0] if len(parts) == 1 else torch.cat(parts)


def pack(backbone: nn.Module, precision: torch.dtype, private_operators: bool) -> PackedEncoder:
    """Lay out a backbone's weights for evaluation.

    Args:
        backbone: A ``transformers`` BERT, RoBERTa or XLM-R encoder on the CPU; its float32 weights are shared where
            they fit as they are, so pack again after they change.
        precision: Of the arithmetic.
        private_operators: Use oneDNN's packed linears, not torch's public ones.

    Raises:
        AttributeError: If the backbone is built otherwise than BERT.
        RuntimeError: If this processor or build of torch lacks the operators.
    """
    model: Any = backbone
    if model.config.hidden_act != "gelu":
        raise AttributeError(f"hidden_act {model.config.hidden_act!r} is not gelu")
    linear = _packed_steps if private_operators else _plain_steps
    with torch.inference_mode():
        layers = tuple(_pack_layer(layer, precision, linear) for layer in model.encoder.layer)
    heads = model.config.num_attention_heads
    return PackedEncoder(model.embeddings, layers, heads, first_position(model), precision)


def _pack_layer(layer: Any, precision: torch.dtype, linear: Callable[[Tensor, Tensor], _Steps]) -> _Layer:  # noqa: ANN401
    attention = layer.attention
    parts = (attention.self.query, attention.self.key, attention.self.value)
    weight = torch.cat([part.weight for part in parts]).to(precision)  # 3 of (D, D) -> (3 * D, D)
    bias = torch.cat([part.bias for part in parts]).to(precision)

    def steps(module: nn.Linear) -> _Steps:
        return linear(module.weight.to(precision), module.bias.to(precision))

    return _Layer(
        project=linear(weight, bias).plain,
        attended=steps(attention.output.dense).residual,
        attention_norm=_norm(attention.output.LayerNorm, precision),
        expand=steps(layer.intermediate.dense).gelu,
        contract=steps(layer.output.dense).residual,
        output_norm=_norm(layer.output.LayerNorm, precision),
    )


@dataclass(frozen=True)
class _Steps:
    """What a linear can be used for: alone, with GELU after it, with a residual added."""

    plain: LinearStep
    gelu: LinearStep
    residual: ResidualStep


def _plain_steps(weight: Tensor, bias: Tensor) -> _Steps:
    def plain(tokens: Tensor) -> Tensor:
        return functional.linear(tokens, weight, bias)

    def gelu(tokens: Tensor) -> Tensor:
        result: Tensor = torch.ops.aten.gelu_(functional.linear(tokens, weight, bias))  # the public one allocates
        return result

    def residual(tokens: Tensor, base: Tensor) -> Tensor:
        return functional.linear(tokens, weight, bias).add_(base)

    return _Steps(plain, gelu, residual)


def _packed_steps(weight: Tensor, bias: Tensor) -> _Steps:
    operators = torch.ops.mkldnn
    packed = operators._reorder_linear_weight(weight.contiguous())

    def plain(tokens: Tensor) -> Tensor:
        result: Tensor = operators._linear_pointwise(tokens, packed, bias, "none", [], "")
        return result

    def gelu(tokens: Tensor) -> Tensor:
        result: Tensor = operators._linear_pointwise(tokens, packed, bias, "gelu", [], "none")
        return result

    def residual(tokens: Tensor, base: Tensor) -> Tensor:
        result: Tensor = operators._linear_pointwise.binary(tokens, base, packed, bias, "add")
        return result

    return _Steps(plain, gelu, residual)


def _norm(norm: Any, precision: torch.dtype) -> NormStep:  # noqa: ANN401
    weight, bias = norm.weight.to(precision), norm.bias.to(precision)

    def apply(tokens: Tensor) -> Tensor:
        return functional.layer_norm(tokens, norm.normalized_shape, weight, bias, norm.eps)

    return apply
