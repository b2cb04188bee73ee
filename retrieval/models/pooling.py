"""From one vector a token to one vector a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from retrieval.errors import ModelError
from retrieval.models.batching import runs_of_equal_length


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).to(hidden.dtype)  # (B, T) -> (B, T, 1)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1.0)  # (B, T, D) -> (B, D)


def _cls(hidden: Tensor, mask: Tensor) -> Tensor:
    return hidden[:, 0]  # (B, T, D) -> (B, D)


def _max(hidden: Tensor, mask: Tensor) -> Tensor:
    return hidden.masked_fill(~mask.unsqueeze(-1).bool(), float("-inf")).amax(1)  # (B, T, D) -> (B, D)


_POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mean": _mean, "cls": _cls, "max": _max}


def pool(hidden: Tensor, mask: Tensor | None, kind: str) -> Tensor:
    """One vector for each text.

    Args:
        hidden: (B, T, D) token vectors.
        mask: (B, T), 1 or True on real tokens, at least one a row; None where nothing is padded.
        kind: ``mean`` of the real tokens, ``cls`` (the first token) or ``max`` over the real tokens.

    Returns:
        (B, D), in the type of ``hidden``.

    Raises:
        ModelError: If ``kind`` is none of these.
    """
    if kind not in _POOLINGS:
        raise ModelError(f"pooling: got {kind!r}; use one of {', '.join(_POOLINGS)}")
    if mask is None:
        mask = hidden.new_ones(hidden.shape[:2])
    return _POOLINGS[kind](hidden, mask)


def pool_rows(hidden: Tensor, lengths: Sequence[int], kind: str) -> Tensor:
    """One vector for each of some rows that lie end to end.

    Args:
        hidden: (N, D) token vectors.
        lengths: Tokens of each row, N in all; neighbours of one length are pooled together.
        kind: As of `pool`.

    Returns:
        (B, D) float32.
    """
    runs = runs_of_equal_length(lengths)
    blocks = torch.split(hidden.float(), [count * length for count, length in runs])
    return torch.cat([pool(block.view(*run, -1), None, kind) for block, run in zip(blocks, runs, strict=True)])
