"""The queue before a model: merging, fairness, threads, and a model that fails."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque

import pytest

from deployment.engine.fair_queue import FairQueue, Request, Waiting
from deployment.errors import ModelFault, NotReady
from monitoring.logs import REQUEST_ID
from tests.helpers.metric_values import value_of
from tests.unit.deployment.held_model import HeldModel, batcher

pytestmark = pytest.mark.anyio


async def test_results_come_back_in_the_order_of_the_items_whatever_the_batches(metrics):
    queue = batcher(lambda items, _: [10 * item for item in items], metrics)
    done = await queue.run([7, 1, 9, 3, 3, 8])
    assert done.results == [70, 10, 90, 30, 30, 80]
    await queue.close()


async def test_no_batch_has_more_tokens_than_the_budget_unless_one_item_does(metrics):
    sizes = []
    queue = batcher(lambda items, _: sizes.append(list(items)) or list(items), metrics)
    await asyncio.gather(queue.run([4, 4, 4, 4]), queue.run([25]), queue.run([3, 3]))
    await queue.close()
    assert all(sum(batch) <= 10 or len(batch) == 1 for batch in sizes)
    assert sum(map(sum, sizes)) == 16 + 25 + 6


async def test_requests_that_arrive_while_the_model_works_are_merged(metrics, model):
    queue = batcher(model, metrics)
    first = asyncio.create_task(queue.run([5]))
    await model.entered()
    others = [asyncio.create_task(queue.run([2])) for _ in range(4)]
    await asyncio.sleep(0)
    model.release()
    await asyncio.gather(first, *others)
    assert model.batches == [[5], [2, 2, 2, 2]]
    await queue.close()


async def test_a_short_request_is_not_held_up_by_a_long_one(metrics, model):
    queue = batcher(model, metrics)
    first = asyncio.create_task(queue.run([5]))
    await model.entered()
    long = asyncio.create_task(queue.run([5] * 8))
    short = asyncio.create_task(queue.run([4]))
    await asyncio.sleep(0)
    model.release()
    await short
    assert not long.done()
    await asyncio.gather(first, long)
    assert model.batches[1] == [5, 4]
    await queue.close()


async def test_an_item_that_breaks_the_model_fails_alone(metrics, model):
    def work(items, _):
        if 6 in items:
            raise ValueError("cannot read a six")
        return list(items)

    held = HeldModel(work)
    queue = batcher(held, metrics)
    first = asyncio.create_task(queue.run([5]))
    await held.entered()
    good, bad = asyncio.create_task(queue.run([2, 1])), asyncio.create_task(queue.run([6]))
    await asyncio.sleep(0)
    held.release()
    assert (await good).results == [2, 1]
    with pytest.raises(ModelFault, match="it was logged"):
        await bad
    await first
    assert (await queue.run([4])).results == [4]
    await queue.close()


async def test_closing_answers_what_waits_and_refuses_what_comes(metrics, model):
    queue = batcher(model, metrics)
    waiting = [asyncio.create_task(queue.run([5])) for _ in range(4)]
    await model.entered()
    closing = asyncio.create_task(queue.close())
    await asyncio.sleep(0)
    with pytest.raises(NotReady, match="stopping"):
        await queue.run([1])
    model.release()
    await closing
    assert [(await one).results for one in waiting] == [[5]] * 4


async def test_worker_seconds_of_all_requests_sum_up_to_the_time_of_the_machine(metrics):
    def work(items, threads):
        time.sleep(0.01 * len(items))
        return list(items)

    queue = batcher(work, metrics, workers=2)
    done = await asyncio.gather(*(queue.run([4, 4]) for _ in range(6)))
    await queue.close()
    total = sum(one.worker_seconds for one in done)
    spent = value_of(metrics, "endpoint_inference_duration_seconds_sum")
    batches = value_of(metrics, "endpoint_inference_duration_seconds_count")
    assert batches > 1
    assert spent / 2 <= total <= spent  # a batch that has the machine to itself counts whole, else by half


async def test_without_load_a_request_has_all_threads_and_under_load_each_worker_one(metrics):
    seen, gate = [], threading.Event()

    def work(items, threads):
        seen.append(threads)
        gate.wait(10)
        return list(items)

    queue = batcher(work, metrics, workers=2)
    first = asyncio.create_task(queue.run([5]))
    while not seen:
        await asyncio.sleep(0.001)
    others = [asyncio.create_task(queue.run([5])) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, *others)
    assert seen[:2] == [2, 1]
    await queue.close()


async def test_the_event_loop_stays_free_while_the_model_works(metrics, model):
    queue = batcher(model, metrics)
    running = asyncio.create_task(queue.run([5]))
    await model.entered()
    turns = 0
    for _ in range(50):
        await asyncio.sleep(0)
        turns += 1
    assert turns == 50
    assert not running.done()
    model.release()
    await running
    await queue.close()


def test_what_is_taken_from_the_queue_says_by_name_whose_it_is(metrics):
    queue = FairQueue(metrics)
    loop = asyncio.new_event_loop()
    asked = []
    for items in (["aa", "b"], ["ccc"]):
        waiting = deque(Waiting(place, item, len(item)) for place, item in enumerate(items))
        tokens = sum(map(len, items))
        asked.append(Request(waiting, [None] * len(items), loop.create_future(), 0.0, len(items), tokens))
        queue.add(asked[-1])
    batch = queue.take(6)
    assert [(row.request, row.position, row.item, row.tokens) for row in batch.rows] == [
        (asked[0], 0, "aa", 2),
        (asked[1], 0, "ccc", 3),
        (asked[0], 1, "b", 1),
    ]
    assert (batch.tokens, queue.tokens) == (6, 0)
    loop.close()


async def test_a_wall_clock_that_jumps_changes_nothing(metrics, monkeypatch):
    jumps = iter([1e9, 0.0, -1e9] * 100)
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    queue = batcher(lambda items, _: list(items), metrics)
    done = await queue.run([5, 5, 5], deadline_seconds=5)
    assert done.results == [5, 5, 5]
    assert 0 <= done.queue_seconds < 5
    assert 0 <= done.infer_seconds < 5
    await queue.close()


async def test_a_fault_in_a_shared_batch_is_logged_under_the_request_whose_it_is(metrics):
    def work(items, _):
        if 3 in items:
            raise ValueError("cannot read a three")
        return list(items)

    logged = []

    class Listening(logging.Handler):
        def emit(self, record):
            logged.append((record.getMessage(), REQUEST_ID.get()))

    async def asked(name, item):
        REQUEST_ID.set(name)
        return await queue.run([item])

    held, listening = HeldModel(work), Listening()
    queue = batcher(held, metrics)
    logging.getLogger("deployment.engine.batching").addHandler(listening)
    try:
        first = asyncio.create_task(asked("first", 5))
        await held.entered()
        others = [asyncio.create_task(asked(f"other {item}", item)) for item in (2, 3, 4)]
        await asyncio.sleep(0)
        held.release()
        ended = await asyncio.gather(first, *others, return_exceptions=True)
    finally:
        logging.getLogger("deployment.engine.batching").removeHandler(listening)
    assert held.batches[1] == [2, 3, 4]
    assert [isinstance(one, ModelFault) for one in ended] == [False, False, True, False]
    assert logged == [("the model failed", "other 3")]
    await queue.close()
