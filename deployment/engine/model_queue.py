"""What both engines share: the queue of one model, sized for the processor, and facts about what it answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from deployment.engine.batching import Batched, Batcher
from deployment.engine.cpu_tuning import MemoryTrimmer, ThreadChoice
from deployment.errors import ModelFault
from monitoring.endpoint_metrics import EndpointMetrics
from retrieval.models.backbone.batching import CPU_PASS_TOKENS, SMALLEST_SHARE_TOKENS
from retrieval.runtime import Runtime

_GPU_TOKENS = 32_768
_PARTS = 4  # requests of any length that fit into the queue together
Rows = Sequence[Any]
Forward = Callable[[Rows, Runtime], NDArray[np.float32]]
"""From rows of token ids to (N, ...) float32, on the device of the runtime."""
Made = TypeVar("Made")


@dataclass(frozen=True)
class Timings:
    """Where the time of a request went, in seconds.

    Attributes:
        queue: Waiting for the model.
        tokenise: From text to token ids.
        infer: In the model.
        worker: Its share of the machine, which is what it costs.
    """

    queue: float
    tokenise: float
    infer: float
    worker: float


@dataclass(frozen=True)
class Read:
    """What the model read of the texts of a request.

    Attributes:
        tokens: Of each text, special tokens included.
        truncated: Whether each text lost its end.
    """

    tokens: tuple[int, ...]
    truncated: tuple[bool, ...]


class ModelQueue:
    """One model behind a `Batcher`, and a thread that prepares texts for it."""

    def __init__(self, forward: Forward, runtime: Runtime, metrics: EndpointMetrics, queue_tokens: int) -> None:
        on_cpu = runtime.device.type == "cpu"
        self._forward, self._runtime, self._metrics = forward, runtime, metrics
        self._threads, self._heap = ThreadChoice(runtime.threads), MemoryTrimmer()
        # one thread and no team of its own, which would go on spinning in the way of the model's
        self._texts = ThreadPoolExecutor(1, "texts", torch.set_num_threads, (1,))
        self._most_tokens = max(1, queue_tokens // _PARTS)
        self._batcher: Batcher[Any, NDArray[np.float32]] = Batcher(
            self._work,
            len,
            metrics,
            workers=runtime.threads if on_cpu else 1,
            batch_tokens=CPU_PASS_TOKENS[runtime.precision] if on_cpu else _GPU_TOKENS,
            queue_tokens=queue_tokens,
        )

    async def prepare(self, make: Callable[[], Made]) -> Made:
        """Run something that takes a while and is not the model's, such as tokenising, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._texts, make)

    async def run(self, rows: Rows, deadline_seconds: float | None) -> Batched[NDArray[np.float32]]:
        """The model's numbers for some rows.

        Of a long list a part waits at a time, lest it fill the queue for everyone: rows of all requests take turns, but
        how long the queue is decides whom it still lets in.
        """
        came, (first, *others) = time.monotonic(), _parts(rows, self._most_tokens)
        done = await self._batcher.run(first, deadline_seconds=deadline_seconds)
        results, worker = list(done.results), done.worker_seconds
        for part in others:
            more = await self._batcher.run(part, begun=True)
            results += more.results
            worker += more.worker_seconds
        infer = time.monotonic() - came - done.queue_seconds if others else done.infer_seconds
        return Batched(results, done.queue_seconds, infer, worker)

    async def close(self) -> None:
        """Finish what waits and end the threads."""
        await self._batcher.close()
        self._texts.shutdown()

    def read(self, rows: Rows, whole: Sequence[int]) -> Read:
        """What the model reads of texts, and how many lose their end.

        Args:
            rows: As they are read.
            whole: Tokens of each before it was cut.
        """
        truncated = tuple(len(row) < count for row, count in zip(rows, whole, strict=True))
        self._metrics.truncated(sum(truncated))
        return Read(tuple(map(len, rows)), truncated)

    def _work(self, rows: Rows, threads: int) -> list[NDArray[np.float32]]:
        tokens = sum(map(len, rows))
        small = threads > 1 and (len(rows) == 1 or tokens <= SMALLEST_SHARE_TOKENS)
        chosen = self._threads.pick() if small else threads
        if self._runtime.device.type == "cpu" and torch.get_num_threads() != chosen:
            torch.set_num_threads(chosen)
        started = time.monotonic()
        values = self._forward(rows, replace(self._runtime, threads=chosen))
        if small:
            self._threads.learn(chosen, time.monotonic() - started, tokens)
        self._heap.sometimes()
        if not np.isfinite(values).all():
            raise ModelFault("the model gave numbers that are not finite; its weights may be damaged, so restart it")
        return list(values)


def _parts(rows: Rows, most_tokens: int) -> list[Rows]:
    """Rows in order in parts of about as many tokens, at least one row each; one empty part of no rows."""
    ends = [0]
    tokens = 0
    for row, content in enumerate(rows):
        if tokens and tokens + len(content) > most_tokens:
            ends.append(row)
            tokens = 0
        tokens += len(content)
    return [rows[start:end] for start, end in zip(ends, [*ends[1:], len(rows)], strict=True)]
