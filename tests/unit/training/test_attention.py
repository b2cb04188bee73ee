"""Recomputed attention: the gradients of torch's own, in float32 exactly and in bfloat16 closely."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn.functional import cosine_similarity, scaled_dot_product_attention

from retrieval.runtime import Runtime
from retrieval.training.attention import RecomputedAttention, recomputed_attention

BFLOAT16 = Runtime(torch.device("cpu"), torch.bfloat16, 1)
FLOAT32 = Runtime(torch.device("cpu"), torch.float32, 1)


def inputs(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, 7, 8, generator=generator).to(dtype).requires_grad_() for _ in range(3)]


def padded():
    mask = torch.ones(2, 1, 1, 7, dtype=torch.bool)
    mask[1, ..., 4:] = False
    return mask.expand(2, 1, 7, 7)


@pytest.mark.parametrize("at_once", [1, 1 << 19])
@pytest.mark.parametrize("mask", [None, padded(), padded()[1:]])
def test_values_and_gradients_are_those_of_torch(mask, at_once, monkeypatch):
    monkeypatch.setattr("retrieval.training.attention._CACHED_SCORES", at_once)
    ours, theirs = inputs(), inputs()
    weights = torch.randn(2, 3, 7, 8, generator=torch.Generator().manual_seed(1))
    got = RecomputedAttention.apply(*ours, mask, 0.3)
    expected = scaled_dot_product_attention(*theirs, attn_mask=mask, scale=0.3)
    (got * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.allclose(got, expected, atol=1e-6)
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine.grad, other.grad, atol=1e-5)


def test_gradients_agree_with_finite_differences():
    doubles = [tensor.detach().double()[:1, :1, :4].requires_grad_() for tensor in inputs()]

    def attend(*tensors):
        return RecomputedAttention.apply(*tensors, None, 0.5)

    assert torch.autograd.gradcheck(attend, doubles, atol=1e-3, rtol=1e-3)


def loss_and_gradients(model, runtime):
    ids = torch.randint(4, 60, (4, 20), generator=torch.Generator().manual_seed(2))
    mask = torch.ones_like(ids)
    mask[0, 9:] = 0
    with (
        recomputed_attention(model, runtime) as used,
        torch.autocast("cpu", runtime.precision, enabled=runtime.autocast),
    ):
        vectors = model(ids, mask)
        vectors[0].dot(vectors[1].detach() + vectors[2].detach()).backward()
    return used, torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_a_backbone_in_bfloat16_uses_it_and_keeps_its_gradients(tiny):
    plain, fast = copy.deepcopy(tiny), tiny
    used, exact = loss_and_gradients(plain, FLOAT32)
    assert not used
    used, close = loss_and_gradients(fast, BFLOAT16)
    assert used
    assert cosine_similarity(exact, close, dim=0) > 0.999
    assert tiny.backbone.config._attn_implementation == "sdpa"
