"""Attention for bfloat16 training on a processor: torch's own forward, and a backward made of plain products.

Torch's backward of fused attention does not use the processor's matrix units: it takes half of a bfloat16 training step
where they exist. Recomputing the probabilities and going backward through three products halves the step there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from retrieval.runtime import Runtime

_NAME = "recomputed"
_CACHED_SCORES = 1 << 19
"""Scores that are worked on at a time: with their gradients 4 MB in float32, so that a processor's cache holds them."""


class RecomputedAttention(torch.autograd.Function):
    """softmax(q k^T scale + mask) v, its probabilities made again in the backward pass (as Dao et al., 2022, do)."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> Tensor:  # noqa: ANN401
        """Attend.

        Args:
            ctx: Autograd's.
            query: (B, H, T, D).
            key: (B, H, T, D).
            value: (B, H, T, D).
            mask: Broadcasts to (B, H, T, T), True where a key may be seen; None where all may.
            scale: Multiplies the scores.

        Returns:
            (B, H, T, D).
        """
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
        ctx.save_for_backward(query, key, value, mask, mixed)
        ctx.scale = scale
        return mixed

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:  # noqa: ANN401
        """Gradients of query, key and value, each (B, H, T, D), in the inputs' type with a float32 softmax."""
        query, key, value, mask, mixed = ctx.saved_tensors
        of_query, of_key, of_value = (torch.empty_like(one) for one in (query, key, value))
        batch, heads, length, _ = query.shape
        count = max(1, _CACHED_SCORES // (heads * length * length))
        for start in range(0, batch, count):
            rows = slice(start, start + count)
            unseen = None if mask is None else ~(mask[rows] if mask.shape[0] > 1 else mask)
            of_query[rows], of_key[rows], of_value[rows] = _gradients(
                query[rows], key[rows], value[rows], unseen, mixed[rows], grad[rows], ctx.scale
            )
        return of_query, of_key, of_value, None, None


def _gradients(
    query: Tensor, key: Tensor, value: Tensor, unseen: Tensor | None, mixed: Tensor, grad: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The same of some rows of the batch; in place, as memory is the limit."""
    shares = (query @ key.transpose(-1, -2)).float().mul_(scale)  # (b, H, T, T)
    if unseen is not None:
        shares.masked_fill_(unseen, -torch.inf)
    torch.softmax(shares, dim=-1, out=shares)
    of_scores = (grad @ value.transpose(-1, -2)).float()  # of the shares, (b, H, T, T)
    of_scores.sub_((grad.float() * mixed.float()).sum(dim=-1, keepdim=True)).mul_(shares)
    shares, of_scores = shares.to(grad.dtype), of_scores.to(grad.dtype)
    of_query, of_key = of_scores @ key, of_scores.transpose(-1, -2) @ query
    return of_query.mul_(scale), of_key.mul_(scale), shares.transpose(-1, -2) @ grad


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **_: object,
) -> tuple[Tensor, None]:
    """The form that transformers calls: heads first in, tokens first out."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if dropout:
        mixed = functional.scaled_dot_product_attention(query, key, value, attention_mask, dropout, scale=scale)
    else:
        mixed = RecomputedAttention.apply(query, key, value, attention_mask, scale)  # type: ignore[no-untyped-call]
    return mixed.transpose(1, 2).contiguous(), None  # (B, H, T, D) -> (B, T, H, D)


@contextmanager
def recomputed_attention(model: nn.Module, runtime: Runtime) -> Iterator[bool]:
    """Use it in a model's backbone for a while, where it is faster: in bfloat16 on a processor.

    Yields:
        Whether it is in use; a backbone that transformers did not make keeps its own attention.
    """
    backbone: Any = getattr(model, "backbone", model)
    config = getattr(backbone, "config", None)
    before = getattr(config, "_attn_implementation", None)
    if runtime.device.type != "cpu" or not runtime.autocast or before != "sdpa":
        yield False
        return
    from transformers import AttentionInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    backbone.set_attn_implementation(_NAME)
    try:
        yield True
    finally:
        backbone.set_attn_implementation(before)
