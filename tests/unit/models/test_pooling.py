from __future__ import annotations

import pytest
import torch

from retrieval.errors import ModelError
from retrieval.models.pooling import pool, pool_rows

HIDDEN = torch.tensor([[[1.0, -4.0], [3.0, 2.0], [100.0, 100.0]], [[-1.0, -2.0], [-3.0, -4.0], [-5.0, -6.0]]])
MASK = torch.tensor([[1, 1, 0], [1, 1, 1]])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("mean", [[2, -1], [-3, -4]]), ("cls", [[1, -4], [-1, -2]]), ("max", [[3, 2], [-1, -2]])],
)
def test_padding_never_enters_the_vector(kind, expected):
    assert pool(HIDDEN, MASK, kind).tolist() == expected


@pytest.mark.parametrize("kind", ["mean", "cls", "max"])
def test_no_mask_equals_a_mask_of_ones(kind):
    assert torch.equal(pool(HIDDEN, None, kind), pool(HIDDEN, torch.ones(2, 3), kind))


def test_an_unknown_pooling_is_named():
    with pytest.raises(ModelError, match="got 'sum'; use one of mean, cls, max"):
        pool(HIDDEN, MASK, "sum")


@pytest.mark.parametrize("kind", ["mean", "cls", "max"])
def test_rows_end_to_end_are_pooled_as_rows_alone(kind):
    rows = [HIDDEN[0, :2], HIDDEN[1], HIDDEN[0], HIDDEN[1, :1]]
    alone = torch.cat([pool(row.unsqueeze(0), None, kind) for row in rows])
    assert torch.equal(pool_rows(torch.cat(rows), [len(row) for row in rows], kind), alone)
