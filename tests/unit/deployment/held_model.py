"""A model that waits inside its first forward until the test lets it go."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

from deployment.engine.batching import Batcher


class HeldModel:
    def __init__(self, work: Callable[[Sequence[Any], int], Sequence[Any]] = lambda items, _: list(items)) -> None:
        self.batches: list[list[Any]] = []
        self._work, self._inside, self._gate = work, threading.Event(), threading.Event()

    def __call__(self, items: Sequence[Any], threads: int) -> Sequence[Any]:
        self.batches.append(list(items))
        self._inside.set()
        assert self._gate.wait(30), "never released"
        return self._work(items, threads)

    async def entered(self) -> None:
        await asyncio.to_thread(self._inside.wait, 30)

    def release(self) -> None:
        self._gate.set()


def batcher(model, metrics, **changes):
    """A queue before a model, whose items are their own numbers of tokens."""
    limits = {"workers": 1, "batch_tokens": 10, "queue_tokens": 100}
    return Batcher(model, lambda item: item, metrics, **(limits | changes))
