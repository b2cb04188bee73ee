"""From one vector a token to one vector a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from retrieval.errors import ModelError
from retrieval.models.batching import runs_of_equal_length

_POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda hidden: hidden.mean(1),  # (b, T, D) -> (b, D)
    "cls": lambda hidden: hidden[:, 0],
    "max": lambda hidden: hidden.amax(1),
}


def pool_rows(hidden: Tensor, lengths: Sequence[int], kind: str) -> Tensor:
    """One vector for each of some rows that lie end to end.

    Args:
        hidden: (N, D) token vectors.
        lengths: Tokens of each row, N in all; neighbours of one length are pooled together.
        kind: ``mean`` of the tokens, ``cls`` (the first token) or ``max`` over the tokens.

    Returns:
        (B, D) float32.

    Raises:
        ModelError: If ``kind`` is none of these.
    """
    if kind not in _POOLINGS:
        raise ModelError(f"pooling: got {kind!r}; use one of {', '.join(_POOLINGS)}")
    runs, pooled = runs_of_equal_length(lengths), _POOLINGS[kind]
    blocks = torch.split(hidden.float(), [count * length for count, length in runs])
    return torch.cat([pooled(block.view(*run, hidden.shape[-1])) for block, run in zip(blocks, runs, strict=True)])
