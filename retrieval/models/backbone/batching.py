"""Rows of token ids into batches: sorted by length, bounded by tokens."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch

CPU_PASS_TOKENS = {torch.float32: 1024, torch.bfloat16: 2048}
"""Tokens of one pass through a model on a CPU, by precision. 1,024 tokens of the widest layer stay in a shared cache
while they already feed one core well; in bfloat16 they are too few for its matrix units. In training fewer would also
add up more gradients."""
SMALLEST_SHARE_TOKENS = 256
"""Less work than this is not worth a thread or worker of its own."""


def token_budget_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group rows of similar length so that no batch, padded to its longest row, holds more than ``budget`` tokens.

    Args:
        lengths: Tokens of each row.
        budget: Rows times longest row, at most; a longer row is a batch of its own.

    Returns:
        Row numbers, batch by batch, shortest rows first; rows of one length keep their order.

    Raises:
        ValueError: If ``budget`` is not positive.
    """
    if budget <= 0:
        raise ValueError(f"budget: got {budget} tokens; give a positive number")
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batches and lengths[row] * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def even_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group rows of similar length into few batches, each with about as many tokens.

    Args:
        lengths: Tokens of each row.
        budget: Tokens of a batch, at most; a longer row is a batch of its own.

    Returns:
        Row numbers, batch by batch, shortest rows first; rows of one length keep their order.

    Raises:
        ValueError: If ``budget`` is not positive.
    """
    if budget <= 0:
        raise ValueError(f"budget: got {budget} tokens; give a positive number")
    share = sum(lengths) / max(1, -(-sum(lengths) // budget))  # of a batch, if all were equal
    batches: list[list[int]] = []
    inside = before = 0  # tokens in the last batch and in those before it
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not batches or inside + lengths[row] > budget or before + inside >= share * len(batches):
            batches.append([])
            before, inside = before + inside, 0
        batches[-1].append(row)
        inside += lengths[row]
    return batches


def runs_of_equal_length(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbouring rows of one length: (number of rows, their length), in order."""
    return [(len(list(run)), length) for length, run in groupby(lengths)]
