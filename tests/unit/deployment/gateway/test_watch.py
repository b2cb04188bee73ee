"""Watching one service: one look at a time, answers that are neither late nor too old, changes in the log."""

import asyncio
import logging

import httpx
import pytest

from deployment.errors import UpstreamFault
from deployment.gateway.watch import ServiceWatch

pytestmark = pytest.mark.anyio
URL = "http://bi:8101"


class Service:
    """Looks that end as told."""

    def __init__(self):
        self.looks, self.error, self.gate = 0, None, asyncio.Event()
        self.gate.set()

    async def look(self):
        self.looks += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {"looks": self.looks}


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def watch(service, clock, patience=5.0, look_seconds=60.0):
    return ServiceWatch("bi-encoder", URL, service.look, patience, look_seconds, clock)


async def test_an_answer_of_this_second_is_given_again_and_an_older_one_is_not(clock):
    service = Service()
    watched = watch(service, clock)
    assert [(await watched.seen()).facts for _ in range(3)] == [{"looks": 1}] * 3
    clock.now += 1.5
    assert (await watched.seen()).facts == {"looks": 2}


async def test_many_at_once_share_a_look_and_one_who_leaves_does_not_end_it(clock):
    service = Service()
    service.gate.clear()
    watched = watch(service, clock)
    asking = [asyncio.create_task(watched.seen()) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()
    service.gate.set()
    found = await asyncio.gather(*asking[1:])
    assert [seen.reason for seen in found] == [""] * 49
    assert service.looks == 1


async def test_a_look_that_hangs_holds_nobody_up_and_no_second_one_begins(clock):
    service = Service()
    service.gate.clear()
    watched = watch(service, clock, patience=0.01)
    for _ in range(5):
        assert "has not answered" in (await watched.seen()).reason
    assert service.looks == 1
    service.gate.set()
    await asyncio.sleep(0.01)
    assert (await watched.seen()).reason == ""
    await watched.close()


async def test_a_service_that_is_slow_for_a_moment_stays_ready_and_one_not_seen_for_long_does_not(clock):
    service = Service()
    watched = watch(service, clock, patience=0.01)
    assert (await watched.seen()).reason == ""
    service.gate.clear()
    clock.now += 10
    assert (await watched.seen()).reason == ""
    clock.now += 60
    assert "has not answered" in (await watched.seen()).reason
    await watched.close()


async def test_a_look_that_takes_too_long_is_a_service_that_hangs(clock):
    service = Service()
    service.gate.clear()
    seen = await watch(service, clock, look_seconds=0.01).seen()
    assert seen.reason == f"the bi-encoder service at {URL} hangs: no answer in 0.01 s"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ConnectError("x"), "does not answer (ConnectError); start it, or correct its address"),
        (UpstreamFault("the bi-encoder service answered 500"), "is not ready: answered 500"),
        (KeyError("x"), "could not be looked at (KeyError)"),
    ],
)
async def test_the_reason_names_the_service_its_address_and_what_is_wrong(clock, error, said):
    service = Service()
    service.error = error
    seen = await watch(service, clock).seen()
    assert seen.reason.startswith(f"the bi-encoder service at {URL} ")
    assert said in seen.reason


async def test_only_changes_are_logged(clock, caplog):
    service = Service()
    watched = watch(service, clock)
    with caplog.at_level(logging.INFO):
        for error in (httpx.ConnectError("x"), httpx.ReadTimeout("x"), None, None, httpx.ConnectError("x")):
            service.error = error
            clock.now += 2
            await watched.seen()
    said = [record.getMessage().removeprefix(f"the bi-encoder service at {URL} ") for record in caplog.records]
    assert [line.partition(" (")[0] for line in said] == ["does not answer", "is ready", "does not answer"]


async def test_closing_ends_a_look_under_way(clock):
    service = Service()
    service.gate.clear()
    watched = watch(service, clock, patience=0.01)
    await watched.seen()
    await watched.close()
    await watch(service, clock).close()  # and one that never looked
