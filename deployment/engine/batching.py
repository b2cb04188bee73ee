"""Requests of many clients merged into forwards under a token budget, off the event loop, fairly and bounded."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from dataclasses import dataclass
from typing import Generic

from deployment.engine.fair_queue import Batch, FairQueue, Item, Request, Result, Waiting
from deployment.errors import DeadlinePassed, ModelFault, NotReady, Overloaded, Refusal
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.traces import record_span
from retrieval.errors import RetrievalError
from retrieval.models.backbone.batching import SMALLEST_SHARE_TOKENS

_logger = logging.getLogger(__name__)
_MEMORY = 0.9  # share of the past that counts after each batch
_ENOUGH_TOKENS = 4096  # read before the measured rate is believed; the first batches lay out weights

Work = Callable[[Sequence[Item], int], Sequence[Result]]
"""From items to their results, with the number of threads it may use; called in a worker thread."""


@dataclass(frozen=True)
class Batched(Generic[Result]):
    """What a request gets.

    Attributes:
        results: In the order of its items.
        queue_seconds: From arrival to its first forward.
        infer_seconds: From its first forward to its last result.
        worker_seconds: Its share, by tokens, of the forwards it was part of, in seconds of the whole machine.
    """

    results: list[Result]
    queue_seconds: float
    infer_seconds: float
    worker_seconds: float


class Batcher(Generic[Item, Result]):
    """A bounded queue before one model.

    A worker takes one item of each waiting request in turn, up to the budget, so that one long request does not hold up
    short ones. Without load a request is run at once, by all threads; under load every worker has a batch of its own,
    which wastes less than threads inside one operator do.
    """

    def __init__(
        self,
        work: Work[Item, Result],
        size: Callable[[Item], int],
        metrics: EndpointMetrics,
        *,
        workers: int,
        batch_tokens: int,
        queue_tokens: int,
    ) -> None:
        """Set up; threads start with the first request.

        Args:
            work: The model.
            size: Tokens of an item, at least 1.
            metrics: Where queue, batches and rejections are counted.
            workers: Batches at once.
            batch_tokens: Tokens in one batch; a longer item is a batch of its own.
            queue_tokens: Tokens that may wait.
        """
        self._work, self._size, self._metrics = work, size, metrics
        self._workers, self._batch_tokens, self._queue_tokens = workers, batch_tokens, queue_tokens
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="model")
        self._queue: FairQueue[Item, Result] = FairQueue(metrics)
        self._running: set[asyncio.Task[None]] = set()
        self._tokens_read, self._past_tokens, self._past_seconds = 0, 0.0, 0.0
        self._closed = False

    async def run(
        self, items: Sequence[Item], *, deadline_seconds: float | None = None, begun: bool = False
    ) -> Batched[Result]:
        """Results of some items; cancelling the call drops those that have not begun.

        Args:
            items: Of one request.
            deadline_seconds: Longest time in the queue; None waits as long as it takes.
            begun: Whether this goes on with a request that was let in before, which nothing but a fault ends.

        Raises:
            Overloaded: If the queue is full.
            DeadlinePassed: If the model does not get to the request in time.
            ModelFault: If the model fails.
            NotReady: If the batcher is closed.
        """
        now = time.monotonic()
        sizes = [self._size(item) for item in items]
        if not begun:
            self._admit(sum(sizes), deadline_seconds)
        request: Request[Item, Result] = Request(
            waiting=deque(
                Waiting(position, item, tokens)
                for position, (item, tokens) in enumerate(zip(items, sizes, strict=True))
            ),
            results=[None] * len(items),
            done=asyncio.get_running_loop().create_future(),
            arrived=now,
            missing=len(items),
            tokens=sum(sizes),
        )
        if not items:
            return Batched([], 0.0, 0.0, 0.0)
        self._queue.add(request)
        self._start()
        timer = self._time(request, deadline_seconds)
        try:
            await request.done
        finally:
            if timer is not None:
                timer.cancel()
            self._queue.forget(request)
        ended, results = time.monotonic(), [result for result in request.results if result is not None]
        record_span("queue wait", now, request.started)
        record_span("forward", request.started, ended)
        return Batched(results, request.started - now, ended - request.started, request.worker_seconds)

    async def close(self) -> None:
        """Refuse what comes, finish what is there, end the threads."""
        self._closed = True
        while self._running:
            await asyncio.gather(*self._running)
            await asyncio.sleep(0)  # ended tasks are taken out on the loop's next turn, which gather need not give
        self._executor.shutdown()

    @property
    def wait_seconds(self) -> float:
        """How long the queue as it is will take, by the rate of the last batches; 0 until enough was read."""
        if self._tokens_read < _ENOUGH_TOKENS:
            return 0.0
        return self._queue.tokens * self._past_seconds / self._past_tokens

    def _admit(self, tokens: int, deadline_seconds: float | None) -> None:
        if self._closed:
            raise NotReady("the service is stopping; ask another one", retry_after_seconds=1)
        if self._queue.tokens and self._queue.tokens + tokens > self._queue_tokens:
            self._metrics.rejected(Overloaded.code)
            raise Overloaded(
                f"{self._queue.tokens} tokens wait already and {self._queue_tokens} may; try again after the time"
                " that Retry-After says",
                retry_after_seconds=self.wait_seconds,
            )
        if deadline_seconds is not None and self.wait_seconds > deadline_seconds:
            raise self._late(deadline_seconds)

    def _time(self, request: Request[Item, Result], deadline_seconds: float | None) -> asyncio.TimerHandle | None:
        """Have a request fail that has not begun when its time is over."""
        if deadline_seconds is None:
            return None

        def expire() -> None:
            if not request.started and not request.done.done():
                request.done.set_exception(self._late(deadline_seconds))
                self._queue.forget(request)

        return asyncio.get_running_loop().call_later(deadline_seconds, expire)

    def _late(self, deadline_seconds: float) -> DeadlinePassed:
        self._metrics.rejected(DeadlinePassed.code)
        return DeadlinePassed(
            f"the model does not get to this request within {deadline_seconds:g} s; try again after the time that"
            " Retry-After says, or give it longer",
            retry_after_seconds=self.wait_seconds,
        )

    def _start(self) -> None:
        """Let idle workers take what waits."""
        while self._queue.requests and len(self._running) < self._workers:
            batch = self._take()
            if batch.rows:
                alone = not self._running and not self._queue.requests
                work = self._run(batch, self._workers if alone else 1)
                task = asyncio.create_task(work, context=Context())  # of no request, for it has rows of many
                self._running.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    def _take(self) -> Batch[Item, Result]:
        """A batch up to the budget and to a fair share of what waits."""
        waiting = self._queue.tokens
        budget = min(self._batch_tokens, max(SMALLEST_SHARE_TOKENS, -(-waiting // self._workers)))
        if waiting <= self._batch_tokens and not self._running and len(self._queue.requests) == 1:
            budget = waiting  # nobody else is there: one batch by all threads
        return self._queue.take(budget)

    async def _run(self, batch: Batch[Item, Result], threads: int) -> None:
        """Run a batch; where it fails, each request's part of it alone, so that one does not spoil the others."""
        try:
            await self._forward(batch, threads)
        except Exception as error:  # noqa: BLE001 - whatever the model raises is answered
            requests = list(dict.fromkeys(row.request for row in batch.rows))
            if len(requests) == 1:
                self._fail(batch, error)
                return
            for request in requests:
                rows = [row for row in batch.rows if row.request is request]
                part: Batch[Item, Result] = Batch(rows, sum(row.tokens for row in rows))
                try:
                    await self._forward(part, threads)
                except Exception as fault:  # noqa: BLE001 - as above
                    self._fail(part, fault)

    async def _forward(self, batch: Batch[Item, Result], threads: int) -> None:
        loop, items = asyncio.get_running_loop(), [row.item for row in batch.rows]
        started = time.monotonic()
        results = await loop.run_in_executor(self._executor, self._work, items, threads)
        seconds = time.monotonic() - started
        share = seconds * threads / self._workers  # of the whole machine
        self._measure(batch, seconds, share)
        for row, result in zip(batch.rows, results, strict=True):
            request = row.request
            request.results[row.position] = result
            request.worker_seconds += share * row.tokens / batch.tokens
            request.missing -= 1
            if not request.missing and not request.done.done():
                request.done.set_result(None)

    def _measure(self, batch: Batch[Item, Result], seconds: float, share: float) -> None:
        self._metrics.computed(seconds, len(batch.rows), batch.tokens)
        self._tokens_read += batch.tokens
        self._past_tokens = _MEMORY * self._past_tokens + batch.tokens
        self._past_seconds = _MEMORY * self._past_seconds + share

    def _fail(self, batch: Batch[Item, Result], error: Exception) -> None:
        if not isinstance(error, (Refusal, RetrievalError)):
            batch.rows[0].request.context.run(_logger.error, "the model failed", exc_info=error)
        fault = error if isinstance(error, Refusal) else ModelFault("the model failed on this request; it was logged")
        for request in {row.request for row in batch.rows}:
            if not request.done.done():
                request.done.set_exception(fault)
