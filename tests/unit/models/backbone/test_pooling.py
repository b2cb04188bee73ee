from __future__ import annotations

import pytest
import torch

from retrieval.errors import ModelError
from retrieval.models.backbone.pooling import pool_rows

HIDDEN = torch.tensor([[1.0, -4.0], [3.0, 2.0], [-1.0, -2.0], [-3.0, -4.0], [-5.0, -6.0], [7.0, 8.0], [7.0, 0.0]])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("mean", [[2, -1], [-3, -4], [7, 4]]),
        ("cls", [[1, -4], [-1, -2], [7, 8]]),
        ("max", [[3, 2], [-1, -2], [7, 8]]),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_row_has_a_vector_of_its_own_tokens(kind, expected, dtype):
    pooled = pool_rows(HIDDEN.to(dtype), [2, 3, 2], kind)
    assert pooled.tolist() == expected
    assert pooled.dtype == torch.float32


def test_an_unknown_pooling_is_named():
    with pytest.raises(ModelError, match="got 'sum'; use one of mean, cls, max"):
        pool_rows(HIDDEN, [7], "sum")
