"""Attention over rows concatenated: torch's own row by row, in float32 exactly and in bfloat16 closely."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cosine_similarity, scaled_dot_product_attention

from retrieval.models.backbone.attention import RecomputedAttention, attend, layout_of, padded_layout

CPU = torch.device("cpu")
LENGTHS = [3, 7, 7, 7, 2]
TOKENS = sum(LENGTHS)


def inputs(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(TOKENS, 3, 8, generator=generator).to(dtype).requires_grad_() for _ in range(3)]


def row_by_row(query, key, value):
    parts = zip(*(torch.split(tensor, LENGTHS) for tensor in (query, key, value)), strict=True)
    heads_first = [[part.transpose(0, 1) for part in row] for row in parts]
    return torch.cat([scaled_dot_product_attention(*row).transpose(0, 1) for row in heads_first])


def check(ours, layout):
    theirs = inputs()
    weights = torch.randn(TOKENS, 3, 8, generator=torch.Generator().manual_seed(1))
    got = attend(*ours, layout)
    expected = row_by_row(*theirs)
    (got * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.allclose(got, expected, atol=1e-6)
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine.grad, other.grad, atol=1e-5)


@pytest.mark.parametrize("at_once", [1, 3 * 7 * 7 * 2, 1 << 19])
def test_values_and_gradients_are_those_of_torch_row_by_row(at_once, monkeypatch):
    monkeypatch.setattr("retrieval.models.backbone.attention._CACHED_SCORES", at_once)
    check(inputs(), layout_of(LENGTHS, CPU))


def test_padded_rows_have_the_same_values_and_gradients():
    layout = padded_layout(LENGTHS, CPU)
    assert layout.places is not None
    check(inputs(), layout)


def test_rows_are_padded_off_the_processor_unless_they_are_of_one_length():
    device = torch.device("meta")
    padded, plain = layout_of(LENGTHS, device), layout_of([4, 4], device)
    assert padded.places.device == device and plain.places is None
    assert layout_of(LENGTHS, CPU).places is None
    for layout, tokens in ((padded, TOKENS), (plain, 8)):
        query = torch.empty(tokens, 3, 8, device=device)
        assert attend(query, query, query, layout).shape == (tokens, 3, 8)


def test_gradients_agree_with_finite_differences():
    doubles = [tensor.detach().double()[:6, :1, :4].requires_grad_() for tensor in inputs()]

    def attend_two(*tensors):
        return RecomputedAttention.apply(*tensors, [(1, 2), (2, 2)])

    assert torch.autograd.gradcheck(attend_two, doubles, atol=1e-3, rtol=1e-3)


def test_attention_in_bfloat16_has_gradients_close_to_those_of_float32():
    exact, close = inputs(), inputs(torch.bfloat16)
    for tensors in (exact, close):
        attend(*tensors, layout_of(LENGTHS, CPU)).float().square().sum().backward()
    for one, other in zip(exact, close, strict=True):
        assert other.grad.dtype == torch.bfloat16
        assert cosine_similarity(one.grad.flatten(), other.grad.float().flatten(), dim=0) > 0.999
