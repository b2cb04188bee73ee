"""A BERT-family forward for CPU evaluation: one QKV product, unpadded rows, no autograd.

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

from retrieval.models.backbone.batching import runs_of_equal_length
from retrieval.models.backbone.bert import BertBackbone

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
        embeddings: The backbone's own.
        layers: Lowest first.
        heads: Attention heads.
        width: D, numbers of one token vector.
        precision: Of the arithmetic after the embeddings.
    """

    embeddings: nn.Module
    layers: tuple[_Layer, ...]
    heads: int
    width: int
    precision: torch.dtype

    def __call__(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Tensor:
        """(N, D) token vectors of rows, unpadded; arguments as of `Backbone.forward`."""
        return self.run(self.embed(rows, types), [len(row) for row in rows])

    def run(self, hidden: Tensor, lengths: Sequence[int], first: int = 0, last: int | None = None) -> Tensor:
        """Some of the layers, one after another.

        Args:
            hidden: (N, D) token vectors below layer ``first``, rows concatenated.
            lengths: Tokens of each row; neighbours of one length run as one attention.
            first: First layer to run.
            last: Layer to stop before; None runs all that follow.

        Returns:
            (N, D) token vectors.
        """
        hidden, runs = hidden.to(self.precision), runs_of_equal_length(lengths)
        for layer in self.layers[first:last]:
            hidden = self._layer(layer, hidden, runs)
        return hidden

    def embed(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Tensor:
        """(N, D) token vectors below the first layer, rows concatenated."""
        embedded: Tensor = self.embeddings(rows, types)
        return embedded.to(self.precision)

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


def pack(backbone: BertBackbone, precision: torch.dtype, private_operators: bool) -> PackedEncoder:
    """Lay out a backbone's weights for evaluation.

    Args:
        backbone: On the CPU; float32 weights are shared where they fit as they are, so pack again after they change.
        precision: Of the arithmetic.
        private_operators: Use oneDNN's packed linears, not torch's public ones.

    Raises:
        AttributeError: If its activation is not GELU.
        RuntimeError: If this processor or build of torch lacks the operators.
    """
    config = backbone.config
    if config.hidden_act != "gelu":
        raise AttributeError(f"hidden_act {config.hidden_act!r} is not gelu")
    linear = _packed_steps if private_operators else _plain_steps
    with torch.inference_mode():
        layers = tuple(_pack_layer(layer, precision, linear) for layer in backbone.encoder.layer)
    return PackedEncoder(backbone.embeddings, layers, config.num_attention_heads, config.hidden_size, precision)


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
