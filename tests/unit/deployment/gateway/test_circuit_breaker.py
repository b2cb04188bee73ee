"""A reranker's budget and its rest, with a clock of our own."""

import asyncio

import pytest

from deployment.gateway.circuit_breaker import CircuitBreakerReranker
from deployment.gateway.stages import Document, RerankFault

DOCUMENTS = [Document("a", "", "một"), Document("b", "", "hai")]


class Scripted:
    """A reranker that does what the test says."""

    def __init__(self):
        self.asked, self.does = 0, "answer"

    async def score(self, question, documents, budget_seconds):
        self.asked += 1
        if self.does == "hang":
            await asyncio.Event().wait()
        if self.does != "answer":
            raise RerankFault(self.does, "as told")
        return [0.5 for _ in documents]

    async def close(self):
        self.does = "closed"


class Clock:
    seconds = 100.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def reranker():
    return Scripted()


@pytest.fixture
def patient(reranker, clock):
    return CircuitBreakerReranker(reranker, 0.02, faults_before_rest=3, rest_seconds=10.0, clock=clock)


def outcome(patient):
    async def ask():
        try:
            return await patient.score("hỏi", DOCUMENTS)
        except RerankFault as fault:
            return fault.reason

    return asyncio.run(ask())


def test_a_reranker_that_hangs_is_slow_then_rests_so_that_nobody_waits_for_it(patient, reranker):
    reranker.does = "hang"
    assert [outcome(patient) for _ in range(5)] == ["slow", "slow", "slow", "circuit_open", "circuit_open"]
    assert reranker.asked == 3


def test_after_its_rest_one_question_tries_and_its_answer_ends_the_rest(patient, reranker, clock):
    reranker.does = "down"
    assert [outcome(patient) for _ in range(4)] == ["down", "down", "down", "circuit_open"]
    clock.seconds += 10.0
    assert [outcome(patient), outcome(patient)] == [
        "down",
        "circuit_open",
    ]  # the trial failed
    reranker.does = "answer"
    assert outcome(patient) == "circuit_open"
    clock.seconds += 10.0
    assert [outcome(patient), outcome(patient)] == [[0.5, 0.5], [0.5, 0.5]]


def test_only_one_question_waits_for_the_trial(patient, reranker, clock):
    reranker.does = "down"
    for _ in range(3):
        outcome(patient)
    reranker.does = "hang"
    clock.seconds += 10.0
    before = reranker.asked

    async def together():
        return await asyncio.gather(*(patient.score("hỏi", DOCUMENTS) for _ in range(8)), return_exceptions=True)

    reasons = [fault.reason for fault in asyncio.run(together())]
    assert sorted(reasons) == ["circuit_open"] * 7 + ["slow"]
    assert reranker.asked == before + 1


def test_an_answer_between_faults_starts_the_count_anew(patient, reranker):
    for does in ("down", "down", "answer", "bad_answer", "down", "answer"):
        reranker.does = does
        assert outcome(patient) == ([0.5, 0.5] if does == "answer" else does)


def test_a_busy_reranker_is_asked_again_at_once(patient, reranker):
    reranker.does = "overloaded"
    assert [outcome(patient) for _ in range(6)] == ["overloaded"] * 6
