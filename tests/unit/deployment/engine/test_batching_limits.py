"""The queue before a model: bounds, deadlines, and clients that leave."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from deployment.errors import DeadlinePassed, Overloaded
from tests.helpers.metric_values import value_of
from tests.unit.deployment.held_model import batcher

pytestmark = pytest.mark.anyio


async def test_a_full_queue_refuses_with_a_time_to_try_again_and_takes_the_next_when_it_is_empty(metrics, model):
    queue = batcher(model, metrics, queue_tokens=20)
    first = asyncio.create_task(queue.run([5]))
    await model.entered()
    waiting = asyncio.create_task(queue.run([15]))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="15 tokens wait already and 20 may") as refused:
        await queue.run([6])
    assert int(refused.value.headers["retry-after"]) >= 1
    assert value_of(metrics, "endpoint_rejections_total", reason="overloaded") == 1
    model.release()
    await asyncio.gather(first, waiting)
    assert (await queue.run([6])).results == [6]
    await queue.close()


async def test_a_request_larger_than_the_queue_is_taken_when_nothing_waits(metrics):
    queue = batcher(lambda items, _: list(items), metrics, queue_tokens=20)
    assert (await queue.run([9] * 5)).results == [9] * 5
    await queue.close()


async def test_a_request_whose_deadline_passes_in_the_queue_never_reaches_the_model(metrics, model):
    queue = batcher(model, metrics)
    first = asyncio.create_task(queue.run([5]))
    await model.entered()
    with pytest.raises(DeadlinePassed):
        await queue.run([3], deadline_seconds=0.02)
    model.release()
    await first
    await queue.close()
    assert model.batches == [[5]]
    assert value_of(metrics, "endpoint_rejections_total", reason="deadline_passed") == 1
    assert value_of(metrics, "endpoint_queue_depth") == 0


async def test_a_request_that_is_begun_in_time_is_answered(metrics, model):
    queue = batcher(model, metrics)
    running = asyncio.create_task(queue.run([5], deadline_seconds=0.02))
    await model.entered()
    await asyncio.sleep(0.05)
    model.release()
    assert (await running).results == [5]
    await queue.close()


async def test_a_slow_first_batch_does_not_make_the_next_ones_look_late(metrics, model):
    queue = batcher(model, metrics, batch_tokens=1000, queue_tokens=100_000)
    first = asyncio.create_task(queue.run([5]))
    await model.entered()
    await asyncio.sleep(0.1)  # 50 tokens a second
    waiting = asyncio.create_task(queue.run([1000] * 50))
    await asyncio.sleep(0)
    model.release()
    await first
    assert (await queue.run([7], deadline_seconds=5)).results == [7]
    assert (await waiting).results == [1000] * 50
    await queue.close()


async def test_what_cannot_begin_in_time_is_refused_at_once(metrics):
    gate, slow = threading.Event(), []

    def work(items, _):
        time.sleep(0.02)
        if slow:
            gate.wait(30)
        return list(items)

    queue = batcher(work, metrics, batch_tokens=1000, queue_tokens=1_000_000)
    await queue.run([1000] * 5)  # 50,000 tokens a second
    slow.append(1)
    waiting = asyncio.create_task(queue.run([1000] * 300))
    await asyncio.sleep(0)
    with pytest.raises(DeadlinePassed) as refused:
        await queue.run([7], deadline_seconds=1.0)
    assert int(refused.value.headers["retry-after"]) >= 2
    waiting.cancel()
    gate.set()
    await queue.close()


async def test_a_client_that_leaves_takes_its_items_out_of_the_queue(metrics, model):
    queue = batcher(model, metrics)
    first = asyncio.create_task(queue.run([5]))
    await model.entered()
    gone = asyncio.create_task(queue.run([3, 3]))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert value_of(metrics, "endpoint_queue_depth") == 0
    assert value_of(metrics, "endpoint_rejections_total", reason="client_gone") == 1
    model.release()
    await first
    await queue.close()
    assert model.batches == [[5]]
