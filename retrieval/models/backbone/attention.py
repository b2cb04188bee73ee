"""Attention over unpadded rows: the one part of an encoder that needs to know where a row ends.

On a processor it goes through rows of one length together, and backward through products of its own: torch's backward
of fused attention does not use a processor's matrix units. Elsewhere it is torch's, on rows padded to the longest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from retrieval.models.backbone.batching import runs_of_equal_length

_CACHED_SCORES = 1 << 19
"""Scores that are worked on at a time: in the backward pass 4 MB in float32, so that a processor's cache holds them."""


@dataclass(frozen=True)
class Layout:
    """Where unpadded rows begin and end; made once for all layers.

    Attributes:
        runs: Neighbouring rows of one length: (number of rows, their length).
        places: (N,) place of each token among B * T padded ones; None where rows are not to be padded.
        seen: (B, T), True on real tokens, where ``places`` is given.
    """

    runs: list[tuple[int, int]]
    places: Tensor | None = None
    seen: Tensor | None = None


def layout_of(lengths: Sequence[int], device: torch.device) -> Layout:
    """The layout of rows of so many tokens each; padded off the CPU, unless all are of one length."""
    layout = Layout(runs_of_equal_length(lengths))
    return layout if device.type == "cpu" or len(layout.runs) == 1 else padded_layout(lengths, device)


def padded_layout(lengths: Sequence[int], device: torch.device) -> Layout:
    """A layout whose rows are padded to the longest for attention."""
    seen = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)  # (B, T)
    places = seen.flatten().nonzero().squeeze(1)
    return Layout(runs_of_equal_length(lengths), places.to(device), seen.to(device))


def attend(query: Tensor, key: Tensor, value: Tensor, layout: Layout) -> Tensor:
    """softmax(q k^T / sqrt(D)) v, each row of tokens over itself.

    Args:
        query: (N, H, D), rows concatenated.
        key: (N, H, D).
        value: (N, H, D).
        layout: Of the rows.

    Returns:
        (N, H, D).
    """
    if layout.places is not None and layout.seen is not None:
        return _attend_padded(query, key, value, layout.places, layout.seen)
    if query.device.type == "cpu":
        mixed: Tensor = RecomputedAttention.apply(query, key, value, layout.runs)  # type: ignore[no-untyped-call]
        return mixed
    count, length = layout.runs[0]
    whole = _Block(0, count, length)
    rows = functional.scaled_dot_product_attention(whole.of(query), whole.of(key), whole.of(value))  # (B, H, T, D)
    return rows.transpose(1, 2).flatten(0, 1)


def _attend_padded(query: Tensor, key: Tensor, value: Tensor, places: Tensor, seen: Tensor) -> Tensor:
    """The same in one call of torch's attention, on padded rows."""
    empty = query.new_zeros(seen.numel(), *query.shape[1:])  # (B * T, H, D)
    padded = (empty.index_copy(0, places, part).view(*seen.shape, *part.shape[1:]) for part in (query, key, value))
    query, key, value = (part.transpose(1, 2) for part in padded)  # (B, H, T, D)
    mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen[:, None, None, :])
    return mixed.transpose(1, 2).flatten(0, 1).index_select(0, places)


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows of one length that are worked on together."""

    start: int
    count: int
    length: int

    def of(self, tokens: Tensor) -> Tensor:
        """(N, H, D) to a view (b, H, T, D) of the block's rows."""
        rows = tokens[self.start : self.start + self.count * self.length]
        return rows.view(self.count, self.length, *tokens.shape[1:]).transpose(1, 2)


def _blocks(runs: Sequence[tuple[int, int]], heads: int) -> Iterator[_Block]:
    """Runs of rows, cut where their scores would outgrow the cache."""
    start = 0
    for count, length in runs:
        most = max(1, _CACHED_SCORES // (heads * length * length))
        for done in range(0, count, most):
            block = _Block(start, min(most, count - done), length)
            yield block
            start += block.count * length


class RecomputedAttention(torch.autograd.Function):
    """Attention whose probabilities are made again in the backward pass (as Dao et al., 2022, do)."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, runs: Sequence[tuple[int, int]]) -> Tensor:  # noqa: ANN401
        """Attend.

        Args:
            ctx: Autograd's.
            query: (N, H, D), rows concatenated.
            key: (N, H, D).
            value: (N, H, D).
            runs: Neighbouring rows of one length: (number of rows, their length).

        Returns:
            (N, H, D).
        """
        mixed = torch.empty_like(query)
        for block in _blocks(runs, query.shape[1]):
            attended = functional.scaled_dot_product_attention(block.of(query), block.of(key), block.of(value))
            block.of(mixed).copy_(attended)
        ctx.save_for_backward(query, key, value, mixed)
        ctx.runs = runs
        return mixed

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # noqa: ANN401
        """Gradients of query, key and value, each (N, H, D), in the inputs' type with a float32 softmax."""
        inputs = ctx.saved_tensors
        of_query, of_key, of_value = (torch.empty_like(tensor) for tensor in inputs[:3])
        for block in _blocks(ctx.runs, grad.shape[1]):
            found = _gradients(*(block.of(tensor) for tensor in (*inputs, grad)))
            for target, values in zip((of_query, of_key, of_value), found, strict=True):
                block.of(target).copy_(values)
        return of_query, of_key, of_value, None


def _gradients(query: Tensor, key: Tensor, value: Tensor, mixed: Tensor, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of query, key and value of one block, (b, H, T, D); in place, as memory is the limit."""
    scale = query.shape[-1] ** -0.5
    shares = (query @ key.transpose(-1, -2)).float().mul_(scale)  # (b, H, T, T)
    torch.softmax(shares, dim=-1, out=shares)
    of_scores = (grad @ value.transpose(-1, -2)).float()  # of the shares, (b, H, T, T)
    of_scores.sub_((grad.float() * mixed.float()).sum(dim=-1, keepdim=True)).mul_(shares).mul_(scale)
    shares, of_scores = shares.to(grad.dtype), of_scores.to(grad.dtype)
    return of_scores @ key, of_scores.transpose(-1, -2) @ query, shares.transpose(-1, -2) @ grad
