"""What waits for a model: items of many requests, of which one after another gives one to the next batch."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from deployment.service_metrics import CLIENT_LEFT
from monitoring.endpoint_metrics import EndpointMetrics

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Item]):
    """An item that waits.

    Attributes:
        position: In its request.
        item: What the model reads.
        tokens: Of the item.
    """

    position: int
    item: Item
    tokens: int


@dataclass(frozen=True, slots=True)
class Row(Generic[Item, Result]):
    """An item on its way through the model.

    Attributes:
        request: Whose item it is.
        position: In that request.
        item: What the model reads.
        tokens: Of the item.
    """

    request: Request[Item, Result]
    position: int
    item: Item
    tokens: int


@dataclass(eq=False)
class Request(Generic[Item, Result]):
    """Items of one caller on their way through the queue.

    Attributes:
        waiting: Its items that still wait, in order.
        results: By position; None where there is none yet.
        done: Set when the last result is there, or when the request failed.
        arrived: Monotonic seconds.
        missing: Results that are not there yet.
        tokens: That still wait.
        started: When its first item was taken, monotonic seconds; 0 before.
        worker_seconds: Its share of the forwards so far.
        context: In which it was asked, for what is logged of it.
    """

    waiting: deque[Waiting[Item]]
    results: list[Result | None]
    done: asyncio.Future[None]
    arrived: float
    missing: int
    tokens: int
    started: float = 0.0
    worker_seconds: float = 0.0
    context: Context = field(default_factory=copy_context)


@dataclass
class Batch(Generic[Item, Result]):
    """Items that go through the model together.

    Attributes:
        rows: One for each item.
        tokens: Of all.
    """

    rows: list[Row[Item, Result]] = field(default_factory=list)
    tokens: int = 0


class FairQueue(Generic[Item, Result]):
    """Requests in the order in which they are served next.

    Attributes:
        requests: That have waiting items.
        tokens: That wait.
    """

    def __init__(self, metrics: EndpointMetrics) -> None:
        """Start empty; depth, waits and clients that left are counted in ``metrics``."""
        self.requests: deque[Request[Item, Result]] = deque()
        self.tokens, self._items, self._metrics = 0, 0, metrics

    def add(self, request: Request[Item, Result]) -> None:
        """Let a request wait behind the others."""
        self.requests.append(request)
        self._count(request.tokens, len(request.waiting))

    def forget(self, request: Request[Item, Result]) -> None:
        """Take what still waits of a request out of the queue."""
        if request.waiting:
            self._count(-request.tokens, -len(request.waiting))
            request.waiting.clear()
            self.requests.remove(request)
            if request.done.cancelled():
                self._metrics.rejected(CLIENT_LEFT)

    def take(self, budget: int) -> Batch[Item, Result]:
        """One item of each request in turn, up to ``budget`` tokens; a longer item comes alone."""
        batch: Batch[Item, Result] = Batch()
        now = time.monotonic()
        while self.requests:
            request = self.requests[0]
            one = request.waiting[0]
            if batch.rows and batch.tokens + one.tokens > budget:
                break
            request.waiting.popleft()
            request.tokens -= one.tokens
            self._count(-one.tokens, -1)
            self.requests.popleft()
            if request.waiting:
                self.requests.append(request)
            if not request.started:
                request.started = now
                self._metrics.waited(now - request.arrived)
            batch.rows.append(Row(request, one.position, one.item, one.tokens))
            batch.tokens += one.tokens
        return batch

    def _count(self, tokens: int, items: int) -> None:
        self.tokens += tokens
        self._items += items
        self._metrics.waiting(self._items)
