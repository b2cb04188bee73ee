"""Threads by what was faster lately, and memory given back from time to time."""

from __future__ import annotations

import sys

import pytest

from deployment.engine.cpu_tuning import MemoryTrimmer, ThreadChoice


def run(choice, cost, times):
    picked = []
    for _ in range(times):
        threads = choice.pick()
        picked.append(threads)
        choice.learn(threads, cost[threads], 1)
    return picked


def test_the_faster_choice_is_taken_after_both_were_tried():
    assert run(ThreadChoice(2), {2: 1.0, 1: 1.5}, 10) == [2, 1, *[2] * 8]
    assert run(ThreadChoice(2), {2: 9.0, 1: 1.5}, 10) == [2, 1, *[1] * 8]


def test_a_choice_that_became_faster_is_found_again():
    choice = ThreadChoice(2)
    run(choice, {2: 9.0, 1: 1.5}, 50)
    picked = run(choice, {2: 0.5, 1: 1.5}, 400)
    assert picked[-10:].count(2) >= 9


def test_one_thread_leaves_no_choice():
    assert run(ThreadChoice(1), {1: 1.0}, 40) == [1] * 40


@pytest.mark.skipif(sys.platform != "linux", reason="other C libraries have no malloc_trim")
def test_memory_is_given_back_at_most_every_two_seconds():
    now = [0.0]
    heap = MemoryTrimmer(lambda: now[0])
    given = []
    for now[0] in (0.0, 1.9, 2.0, 2.1, 3.9, 4.0, 5.5):
        given.append(heap.sometimes())
    assert given == [False, False, True, False, False, True, False]
