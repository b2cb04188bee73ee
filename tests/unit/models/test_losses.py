"""The losses against closed forms, and the cached form against the plain one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from retrieval.models.losses import (
    binary_cross_entropy,
    cached_multiple_negatives_ranking,
    multiple_negatives_ranking,
)


def eye(size: int) -> torch.Tensor:
    return torch.eye(size, dtype=torch.bool)


def none(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape, dtype=torch.bool)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return normalize(torch.randn(*shape, generator=seeded(seed)), dim=-1)


@pytest.mark.parametrize("size", [2, 7])
def test_ranking_loss_of_equal_scores_is_log_of_passage_count(size):
    row = unit(1, 4).expand(size, 4)
    assert multiple_negatives_ranking(row, row, eye(size), none(size, size), 0.05).item() == pytest.approx(
        math.log(size), abs=1e-5
    )


def test_two_positives_of_four_equal_scores_cost_log_two():
    row = unit(1, 4)
    positives = torch.tensor([[True, True, False, False]])
    loss = multiple_negatives_ranking(row, row.expand(4, 4), positives, none(1, 4), 0.1)
    assert loss.item() == pytest.approx(math.log(2), abs=1e-6)


def test_an_excluded_passage_changes_nothing_and_gets_no_gradient():
    queries, passages = unit(2, 4), unit(3, 4, seed=1).requires_grad_()
    positives = torch.tensor([[True, False, False], [False, True, False]])
    excluded = torch.tensor([[False, False, True], [False, False, True]])
    loss = multiple_negatives_ranking(queries, passages, positives, excluded, 0.1)
    without = multiple_negatives_ranking(queries, passages[:2], positives[:, :2], none(2, 2), 0.1)
    loss.backward()
    assert loss.item() == pytest.approx(without.item(), abs=1e-7)
    assert torch.equal(passages.grad[2], torch.zeros(4))
    assert passages.grad[:2].abs().max() > 0


def test_everything_but_the_positive_excluded_costs_nothing_and_stays_finite():
    queries = unit(2, 4).requires_grad_()
    loss = multiple_negatives_ranking(queries, unit(2, 4, seed=1), eye(2), ~eye(2), 0.02)
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(queries.grad).all()


def test_a_query_of_weight_three_counts_as_much_as_three_of_it():
    queries, passages = unit(2, 4).requires_grad_(), unit(3, 4, seed=1)
    thrice = queries.detach()[[0, 1, 1, 1]].requires_grad_()
    positives, excluded = torch.eye(2, 3, dtype=torch.bool), none(2, 3)
    excluded[1, 2] = True
    loss = multiple_negatives_ranking(queries, passages, positives, excluded, 0.1, torch.tensor([1.0, 3.0]))
    rows = [0, 1, 1, 1]
    repeated = multiple_negatives_ranking(thrice, passages, positives[rows], excluded[rows], 0.1)
    loss.backward()
    repeated.backward()
    assert loss.item() == pytest.approx(repeated.item(), abs=1e-6)
    assert torch.allclose(queries.grad[1], thrice.grad[1:].sum(dim=0), atol=1e-6)
    assert torch.allclose(queries.grad[0], thrice.grad[0], atol=1e-6)


@pytest.mark.parametrize("weights", [torch.tensor([1.0, 0.0]), torch.tensor([1.0])])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ValueError, match="give each query one weight above 0"):
        multiple_negatives_ranking(unit(2, 4), unit(2, 4), eye(2), none(2, 2), 0.1, weights)


@pytest.mark.parametrize(
    ("positives", "excluded", "temperature", "message"),
    [
        (eye(2), none(2, 2), 0.0, "temperature is 0.0"),
        (none(2, 2), none(2, 2), 0.1, "query 0 of the batch has no positive"),
        (eye(2), eye(2), 0.1, "passage 0 is both positive and excluded for query 0"),
        (eye(3), none(2, 2), 0.1, "positives is torch.bool of shape"),
        (eye(2), none(2, 2).float(), 0.1, "excluded is torch.float32"),
    ],
)
def test_unfit_masks_are_refused_with_what_to_do(positives, excluded, temperature, message):
    with pytest.raises(ValueError, match=message):
        multiple_negatives_ranking(unit(2, 4), unit(2, 4), positives, excluded, temperature)


class Toy(nn.Module):
    """Two layers with dropout between them."""

    def __init__(self, dropout: float):
        super().__init__()
        torch.manual_seed(5)
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 4))

    def forward(self, rows):
        return normalize(self.layers(rows), dim=-1)


def gradients(model: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_cached_ranking_loss_has_the_plain_values_and_gradients_with_dropout_on(dropout):
    queries, passages = torch.randn(5, 6, generator=seeded(1)), torch.randn(7, 6, generator=seeded(2))
    chunks = [queries[:2], queries[2:], passages[:3], passages[3:4], passages[4:]]
    positives, excluded = none(5, 7), none(5, 7)
    positives[range(5), range(5)] = True
    positives[1, 5] = excluded[2, 6] = True
    plain, cached = Toy(dropout), Toy(dropout)

    torch.manual_seed(9)
    embedded = [plain(chunk) for chunk in chunks]
    weights = torch.tensor([1.0, 3.0, 1.0, 0.5, 1.0])
    masks = positives, excluded, 0.1, weights
    loss = multiple_negatives_ranking(torch.cat(embedded[:2]), torch.cat(embedded[2:]), *masks)
    loss.backward()
    after = torch.get_rng_state()

    torch.manual_seed(9)
    value = cached_multiple_negatives_ranking(cached, chunks[:2], chunks[2:], *masks)
    assert value.item() == pytest.approx(loss.item(), rel=1e-6)
    assert torch.allclose(gradients(cached), gradients(plain), atol=1e-5)  # up to 5, summed in another order
    assert torch.equal(torch.get_rng_state(), after)


def test_cached_ranking_loss_adds_to_the_gradients_already_there():
    chunks = [torch.randn(3, 6, generator=seeded(1))], [torch.randn(3, 6, generator=seeded(2))]
    once, twice = Toy(0.0), Toy(0.0)
    cached_multiple_negatives_ranking(once, *chunks, eye(3), none(3, 3), 0.1)
    for _ in range(2):
        cached_multiple_negatives_ranking(twice, *chunks, eye(3), none(3, 3), 0.1)
    assert torch.allclose(2 * gradients(once), gradients(twice), atol=1e-6)


def test_cross_entropy_of_zero_logits_is_log_two():
    loss = binary_cross_entropy(torch.zeros(4), torch.tensor([1.0, 0, 0, 1]))
    assert loss.item() == pytest.approx(math.log(2))


def test_positive_weight_multiplies_the_relevant_pairs_only():
    logits, labels = torch.tensor([0.3, -1.2]), torch.tensor([1.0, 0.0])
    relevant, other = (binary_cross_entropy(logits[i : i + 1], labels[i : i + 1]) for i in (0, 1))
    weighted = binary_cross_entropy(logits, labels, positive_weight=3.0)
    assert weighted.item() == pytest.approx((3 * relevant + other).item() / 2)


def test_cross_entropy_of_huge_logits_is_finite_and_linear():
    loss = binary_cross_entropy(torch.tensor([-1000.0, 1000.0]), torch.tensor([1.0, 0.0]))
    assert loss.item() == pytest.approx(1000.0)


def test_cross_entropy_refuses_another_number_of_labels():
    with pytest.raises(ValueError, match=r"\(3,\) logits for \(2,\) labels"):
        binary_cross_entropy(torch.zeros(3), torch.zeros(2))
