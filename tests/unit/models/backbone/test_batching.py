from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.models.backbone.batching import even_batches, runs_of_equal_length, token_budget_batches


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 200))
def test_every_row_is_in_exactly_one_batch_and_no_batch_of_several_exceeds_the_budget(lengths, budget):
    batches = token_budget_batches(lengths, budget)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= budget


def test_batches_are_filled_in_order_of_length_and_ties_keep_their_order():
    assert token_budget_batches([5, 2, 2, 9, 3], 9) == [[1, 2, 4], [0], [3]]


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 200))
def test_even_batches_hold_every_row_once_and_no_batch_of_several_exceeds_the_budget(lengths, budget):
    batches = even_batches(lengths, budget)
    assert [row for batch in batches for row in batch] == sorted(range(len(lengths)), key=lengths.__getitem__)
    assert all(len(batch) == 1 or sum(lengths[row] for row in batch) <= budget for batch in batches)


@pytest.mark.parametrize(
    ("lengths", "budget", "sizes"),
    [
        ([10] * 100, 300, [250, 250, 250, 250]),  # not three of 300 and a rest of 100
        ([100] * 8 + [5] * 40, 600, [500, 500]),
        ([7, 7, 7], 21, [21]),
        ([50, 3, 60], 40, [3, 50, 60]),
    ],
)
def test_even_batches_have_about_as_many_tokens_each(lengths, budget, sizes):
    assert [sum(lengths[row] for row in batch) for batch in even_batches(lengths, budget)] == sizes


@pytest.mark.parametrize("batches", [even_batches, token_budget_batches])
def test_no_rows_make_no_batch(batches):
    assert batches([], 9) == []


@pytest.mark.parametrize("batches", [even_batches, token_budget_batches])
def test_a_budget_of_zero_is_refused(batches):
    with pytest.raises(ValueError, match="budget: got 0"):
        batches([1], 0)


def test_runs_count_neighbours_of_one_length():
    assert runs_of_equal_length([2, 2, 3, 2]) == [(2, 2), (1, 3), (1, 2)]
