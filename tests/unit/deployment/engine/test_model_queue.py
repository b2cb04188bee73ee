"""The queue of one model: a long list goes in by parts, so that it leaves room for others."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import torch

from deployment.engine.model_queue import ModelQueue
from deployment.errors import Overloaded
from retrieval.runtime import Runtime
from tests.unit.deployment.held_model import HeldModel

pytestmark = pytest.mark.anyio
RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)


def first_tokens(rows, _):
    return np.array([[row[0]] for row in rows], dtype=np.float32)


async def test_a_list_far_longer_than_the_queue_is_answered_in_order(metrics):
    queue = ModelQueue(first_tokens, RUNTIME, metrics, queue_tokens=40)
    rows = [[n] * (1 + n % 30) for n in range(200)]
    done = await queue.run(rows, 30.0)
    assert [int(result[0]) for result in done.results] == list(range(200))
    assert done.worker_seconds > 0
    assert (await queue.run([], 30.0)).results == []
    await queue.close()


async def test_while_a_long_list_is_read_others_are_let_in(metrics):
    model = HeldModel(first_tokens)
    queue = ModelQueue(model, RUNTIME, metrics, queue_tokens=4_000)
    long = asyncio.create_task(queue.run([[n] * 500 for n in range(100)], None))  # 50,000 tokens
    await model.entered()
    short = asyncio.create_task(queue.run([[7] * 10], 30.0))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):  # the bound holds for what all wait for together
        await queue.run([[8] * 4_000], None)
    model.release()
    assert int((await short).results[0][0]) == 7
    assert not long.done()
    assert len((await long).results) == 100
    await queue.close()
