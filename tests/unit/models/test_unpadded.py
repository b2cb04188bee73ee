"""Rows end to end: vectors and gradients of the padded forward, attention in float32 exactly, in bfloat16 closely."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn.functional import cosine_similarity, scaled_dot_product_attention

from retrieval.models.unpadded import RecomputedAttention, attend, embed_rows, run_layers

LENGTHS = [3, 7, 7, 7, 2]
TOKENS = sum(LENGTHS)


def inputs(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(TOKENS, 3, 8, generator=generator).to(dtype).requires_grad_() for _ in range(3)]


def row_by_row(query, key, value):
    parts = zip(*(torch.split(tensor, LENGTHS) for tensor in (query, key, value)), strict=True)
    heads_first = [[part.transpose(0, 1) for part in row] for row in parts]
    return torch.cat([scaled_dot_product_attention(*row).transpose(0, 1) for row in heads_first])


@pytest.mark.parametrize("at_once", [1, 3 * 7 * 7 * 2, 1 << 19])
@pytest.mark.parametrize("padded", [False, True])
def test_values_and_gradients_are_those_of_torch_row_by_row(padded, at_once, monkeypatch):
    monkeypatch.setattr("retrieval.models.unpadded._CACHED_SCORES", at_once)
    ours, theirs = inputs(), inputs()
    weights = torch.randn(TOKENS, 3, 8, generator=torch.Generator().manual_seed(1))
    got = attend(*ours, LENGTHS, dropout=1e-9 if padded else 0.0)  # where something is dropped, rows are padded
    expected = row_by_row(*theirs)
    (got * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.allclose(got, expected, atol=1e-6)
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine.grad, other.grad, atol=1e-5)


def test_gradients_agree_with_finite_differences():
    doubles = [tensor.detach().double()[:6, :1, :4].requires_grad_() for tensor in inputs()]

    def attend_two(*tensors):
        return RecomputedAttention.apply(*tensors, [(1, 2), (2, 2)])

    assert torch.autograd.gradcheck(attend_two, doubles, atol=1e-3, rtol=1e-3)


def test_attention_in_bfloat16_has_gradients_close_to_those_of_float32():
    exact, close = inputs(), inputs(torch.bfloat16)
    for tensors in (exact, close):
        attend(*tensors, LENGTHS).float().square().sum().backward()
    for one, other in zip(exact, close, strict=True):
        assert other.grad.dtype == torch.bfloat16
        assert cosine_similarity(one.grad.flatten(), other.grad.float().flatten(), dim=0) > 0.999


def test_dropout_drops_attention():
    torch.manual_seed(3)
    ours = inputs()
    dropped = attend(*ours, LENGTHS, dropout=0.5)
    assert not torch.allclose(dropped, attend(*ours, LENGTHS), atol=0.1)
    assert not torch.equal(dropped, attend(*ours, LENGTHS, dropout=0.5))


ROWS = [[0, 5, 2], [0, 6, 2], [0, 7, 8, 2], [0, 4, 5, 6, 7, 8, 9, 10, 2]]
TYPES = [[0, 0, 1], [0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0, 0, 1, 1, 1, 1]]


def one_by_one(backbone, types):
    kinds = [None if types is None else torch.tensor([row]) for row in types or ROWS]
    inputs = zip(ROWS, kinds, strict=True)
    states = [backbone(input_ids=torch.tensor([row]), token_type_ids=kind).last_hidden_state for row, kind in inputs]
    return torch.cat([state[0] for state in states])


def test_every_token_and_gradient_is_that_of_the_backbones_own_forward(backbone):
    types = TYPES if backbone.config.type_vocab_size > 1 else None
    other = copy.deepcopy(backbone)
    got = run_layers(backbone, embed_rows(backbone, ROWS, types), [len(row) for row in ROWS])
    expected = one_by_one(other, types)
    torch.testing.assert_close(got, expected, atol=3e-6, rtol=1e-5)
    weights = torch.randn(got.shape, generator=torch.Generator().manual_seed(2))
    (got * weights).sum().backward()
    (expected * weights).sum().backward()
    scale = max(float(parameter.grad.abs().max()) for parameter in other.parameters())
    for (name, mine), theirs in zip(backbone.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-5 * scale, rtol=0, msg=name)


def test_layers_below_the_first_are_left_out(backbone):
    lengths = [len(row) for row in ROWS]
    below = embed_rows(backbone, ROWS, None)
    half = run_layers(backbone, below, lengths, 1)
    backbone.encoder.layer = backbone.encoder.layer[1:]
    assert torch.equal(half, run_layers(backbone, below, lengths))


def test_dropout_is_on_where_the_model_trains(backbone):
    lengths = [len(row) for row in ROWS]
    backbone.train()
    backbone.embeddings.eval()
    below = embed_rows(backbone, ROWS, None)
    assert not torch.equal(run_layers(backbone, below, lengths), run_layers(backbone, below, lengths))
