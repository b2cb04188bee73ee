"""Attention over rows laid end to end: the one part of an encoder that needs to know where a row ends.

On a processor it goes through rows of one length together, and backward through products of its own: torch's backward
of fused attention does not use a processor's matrix units. Elsewhere it is torch's, on padded rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from retrieval.models.batching import runs_of_equal_length

_CACHED_SCORES = 1 << 19
"""Scores that are worked on at a time: with their gradients 4 MB in float32, so that a processor's cache holds them."""


def attend(query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int]) -> Tensor:
    """softmax(q k^T / sqrt(D)) v, each row of tokens over itself.

    Args:
        query: (N, H, D), rows end to end.
        key: (N, H, D).
        value: (N, H, D).
        lengths: Tokens of each row, N in all.

    Returns:
        (N, H, D).
    """
    if query.device.type != "cpu":
        return attend_padded(query, key, value, lengths)
    mixed: Tensor = RecomputedAttention.apply(query, key, value, runs_of_equal_length(lengths))  # type: ignore[no-untyped-call]
    return mixed


def attend_padded(query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int]) -> Tensor:
    """The same in one call of torch's attention."""
    real = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)  # (B, T)
    real = real.to(query.device)
    rows = [pad_sequence(list(torch.split(part, list(lengths))), batch_first=True) for part in (query, key, value)]
    query, key, value = (part.transpose(1, 2) for part in rows)  # (B, H, T, D)
    mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=real[:, None, None, :])
    return mixed.transpose(1, 2)[real]


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
            query: (N, H, D), rows end to end.
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
