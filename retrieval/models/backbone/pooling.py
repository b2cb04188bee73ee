"""From one vector a token to one vector a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from torch import Tensor

from retrieval.errors import ModelError


def _weighted_mean(hidden: Tensor, first: int) -> Tensor:
    """Mean in which a token counts as much as its place in the row, from 1 (SGPT: Muennighoff, 2022)."""
    weights = torch.arange(first + 1, hidden.shape[1] + 1, dtype=hidden.dtype, device=hidden.device)
    return (hidden[:, first:] * weights[:, None]).sum(1) / weights.sum()


_POOLINGS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "mean": lambda hidden, first: hidden[:, first:].mean(1),  # (b, T, D) -> (b, D)
    "cls": lambda hidden, first: hidden[:, first],
    "max": lambda hidden, first: hidden[:, first:].amax(1),
    "mean_sqrt_len_tokens": lambda hidden, first: hidden[:, first:].sum(1) / (hidden.shape[1] - first) ** 0.5,
    "weightedmean": _weighted_mean,
    "lasttoken": lambda hidden, first: hidden[:, -1],
}


def pool_rows(hidden: Tensor, lengths: Sequence[int], kind: str, skipped: Sequence[int] | None = None) -> Tensor:
    """One vector for each of some unpadded rows.

    Args:
        hidden: (N, D) token vectors.
        lengths: Tokens of each row, N in all; neighbours of one length are pooled together.
        kind: ``mean`` of the tokens, ``cls`` (the first token), ``max`` over the tokens, ``mean_sqrt_len_tokens``
            (their sum over the root of their number), ``weightedmean`` (by place) or ``lasttoken``.
        skipped: Tokens at the start of each row, fewer than it has, that are left out; None leaves none out.

    Returns:
        (B, D) float32.

    Raises:
        ModelError: If ``kind`` is none of these.

    Example:
        >>> pool_rows(torch.tensor([[1.0], [3.0], [5.0]]), [2, 1], "mean").tolist()  # rows of two tokens and of one
        [[2.0], [5.0]]
    """
    if kind not in _POOLINGS:
        raise ModelError(f"pooling: got {kind!r}; use one of {', '.join(_POOLINGS)}")
    shapes = list(zip(lengths, skipped or [0] * len(lengths), strict=True))
    runs = [(len(list(run)), *shape) for shape, run in groupby(shapes)]
    blocks = torch.split(hidden.float(), [count * length for count, length, _ in runs])
    pooled = [
        _POOLINGS[kind](block.view(count, length, hidden.shape[-1]), first)
        for block, (count, length, first) in zip(blocks, runs, strict=True)
    ]
    return torch.cat(pooled)
