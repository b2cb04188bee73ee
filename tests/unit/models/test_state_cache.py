"""A bounded memory of token vectors."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from retrieval.models.frozen_layers import TokenStates
from retrieval.models.state_cache import StateCache

TEXTS = [(1, 2), (3, 4, 5), (6,)]
STATES = TokenStates(
    np.arange(12, dtype=np.float16).reshape(6, 2), {TEXTS[0]: (0, 2), TEXTS[1]: (2, 5), TEXTS[2]: (5, 6)}, 2
)


def only(*numbers):
    return TokenStates(STATES.vectors, {TEXTS[number]: STATES.bounds[TEXTS[number]] for number in numbers}, 2)


def held_bytes(known):
    """Bytes of vectors that are held, as they are and as they are counted."""
    held = sum(vectors.nbytes for vectors in known._held.values())
    assert held == known._bytes
    return held


def test_what_is_remembered_is_recalled_and_the_rest_left_out():
    known = StateCache(1_000)
    known.remember(STATES)
    recalled = known.recall([TEXTS[1], (9, 9)])
    assert list(recalled.bounds) == [TEXTS[1]]
    assert recalled.of(TEXTS[1]).equal(STATES.of(TEXTS[1]))
    assert held_bytes(known) == STATES.vectors.nbytes


def test_what_was_not_asked_for_longest_is_forgotten_first():
    known = StateCache(20)  # bytes; the texts have 8, 12 and 4
    known.remember(only(0, 1))
    known.recall([TEXTS[0]])
    known.remember(only(2))
    assert set(known.recall(TEXTS).bounds) == {TEXTS[0], TEXTS[2]}
    assert held_bytes(known) == 12


def test_a_text_that_does_not_fit_at_all_is_not_held():
    known = StateCache(6)
    known.remember(only(1))
    assert known.recall(TEXTS).bounds == {}
    assert held_bytes(known) == 0


def test_remembering_twice_counts_once():
    known = StateCache(1_000)
    for _ in range(3):
        known.remember(STATES)
    assert held_bytes(known) == STATES.vectors.nbytes


def test_threads_together_leave_the_count_right():
    known = StateCache(16)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: (known.remember(only(n % 3)), known.recall(TEXTS)), range(600)))
    assert held_bytes(known) == sum(STATES.of(text).nbytes for text in known.recall(TEXTS).bounds) <= 16
