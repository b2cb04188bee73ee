"""Turning score matrices into runs: top k with a stable order, and the order of runs cut short."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.records import TrecRun


def top_k(scores: NDArray[np.float32], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Best ``k`` columns of each row, best first; equal scores keep column order.

    Args:
        scores: (Q, C).
        k: Columns to keep, at most C are returned.

    Returns:
        Rows (Q, k) int32 and their scores (Q, k) float32.
    """
    count = scores.shape[1]
    k = min(k, count)
    part = np.argpartition(-scores, k - 1, axis=1)[:, :k] if k < count else np.tile(np.arange(count), (len(scores), 1))
    part.sort(axis=1)  # (Q, k) column order first, so that the stable sort below breaks ties by it
    values = np.take_along_axis(scores, part, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    rows = np.take_along_axis(part, order, axis=1).astype(np.int32)
    return rows, np.take_along_axis(values, order, axis=1).astype(np.float32)


def run_of(
    name: str, qids: Sequence[str], cids: tuple[str, ...], rows: NDArray[np.int32], scores: NDArray[np.float32]
) -> TrecRun:
    """A run whose hits at -inf become padding."""
    missing = np.isneginf(scores)
    return TrecRun(name, tuple(qids), cids, np.where(missing, np.int32(-1), rows), scores)
