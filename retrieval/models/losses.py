"""Training losses in plain tensors: in-batch ranking, its memory-bounded form, and pair classification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional

Chunk = TypeVar("Chunk")


def multiple_negatives_ranking(
    queries: Tensor,
    passages: Tensor,
    positives: Tensor,
    excluded: Tensor,
    temperature: float,
    weights: Tensor | None = None,
) -> Tensor:
    """Minus the log of the share of the softmax that falls on a query's positives, averaged over queries.

    With one positive a query this is InfoNCE (van den Oord et al., 2018), which sentence-transformers calls
    MultipleNegativesRankingLoss. With several, their probabilities are added before the logarithm: the query has to
    rank *some* positive above the negatives, and no positive is pushed away because another one is already close.

    Args:
        queries: (B, D), unit length for cosine scores.
        passages: (P, D), unit length; shared by all queries of the batch.
        positives: (B, P) bool, passages that answer the query; at least one a row.
        excluded: (B, P) bool, passages that count neither as positive nor as negative (in-batch false negatives).
        temperature: Divides the scores; above 0.
        weights: (B,) what each query counts in the mean, above 0; None counts all the same.

    Returns:
        Scalar mean loss, in nats.

    Raises:
        ValueError: If the temperature or a weight is not positive, a shape does not fit, a query has no positive, or a
            passage is both positive and excluded.

    Example:
        >>> same, answers = torch.ones(2, 4), torch.eye(2, dtype=torch.bool)  # two queries, each with its passage
        >>> loss = multiple_negatives_ranking(same, same, answers, torch.zeros_like(answers), temperature=1.0)
        >>> round(float(loss), 4)  # log 2
        0.6931
    """
    _check_masks(queries, passages, positives, excluded, temperature)
    _check_weights(queries, weights)
    with torch.autocast(queries.device.type, enabled=False):
        scores = queries.float() @ passages.float().T / temperature  # (B, D) x (D, P) -> (B, P)
        scores = scores.masked_fill(excluded, -torch.inf)
        of_positives = scores.masked_fill(~positives, -torch.inf)
        losses = scores.logsumexp(dim=1) - of_positives.logsumexp(dim=1)  # (B,)
        return losses.mean() if weights is None else (losses * weights).sum() / weights.sum()


def _check_weights(queries: Tensor, weights: Tensor | None) -> None:
    if weights is not None and (weights.shape != queries.shape[:1] or not bool((weights > 0).all())):
        raise ValueError(
            f"weights are of shape {tuple(weights.shape)} for {len(queries)} queries, the least"
            f" {float(weights.min()) if weights.numel() else 'missing'}; give each query one weight above 0"
        )


def _check_masks(queries: Tensor, passages: Tensor, positives: Tensor, excluded: Tensor, temperature: float) -> None:
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}; it divides the scores, so give a number above 0 such as 0.02")
    expected = (len(queries), len(passages))
    for name, mask in (("positives", positives), ("excluded", excluded)):
        if tuple(mask.shape) != expected or mask.dtype != torch.bool:
            raise ValueError(
                f"{name} is {mask.dtype} of shape {tuple(mask.shape)} for {expected[0]} queries and"
                f" {expected[1]} passages; give a bool mask of shape {expected}"
            )
    if not bool(positives.any(dim=1).all()):
        row = int((~positives.any(dim=1)).nonzero()[0, 0])
        raise ValueError(f"query {row} of the batch has no positive passage; mark at least one in its row of positives")
    if bool((positives & excluded).any()):
        row, column = (int(index) for index in (positives & excluded).nonzero()[0])
        raise ValueError(f"passage {column} is both positive and excluded for query {row}; clear one of the two masks")


def cached_multiple_negatives_ranking(
    embed: Callable[[Chunk], Tensor],
    queries: Sequence[Chunk],
    passages: Sequence[Chunk],
    positives: Tensor,
    excluded: Tensor,
    temperature: float,
    weights: Tensor | None = None,
) -> Tensor:
    """`multiple_negatives_ranking` over more rows than fit in memory at once (GradCache: Gao et al., 2021).

    Every chunk is embedded without autograd state; the loss gives each embedding its gradient; then every chunk is
    embedded again, with the random state it had the first time so that dropout repeats, and sent backward. Unlike the
    plain form this one runs the backward pass itself: gradients are added to those the parameters already hold.

    Args:
        embed: Turns a chunk into (rows, D) embeddings.
        queries: Chunks of query rows.
        passages: Chunks of passage rows.
        positives: (B, P) bool, rows and columns in the order of the concatenated chunks.
        excluded: (B, P) bool, in the same order.
        temperature: Divides the scores; above 0.
        weights: (B,) what each query counts, in the same order; None counts all the same.

    Returns:
        Scalar mean loss in nats, detached.

    Raises:
        ValueError: As `multiple_negatives_ranking`.
    """
    chunks = [*queries, *passages]
    states, leaves = [], []
    with torch.no_grad():
        for chunk in chunks:
            states.append(_random_state())
            leaves.append(embed(chunk))
    leaves = [leaf.detach().requires_grad_() for leaf in leaves]
    split = len(queries)
    with torch.enable_grad():
        loss = multiple_negatives_ranking(
            torch.cat(leaves[:split]), torch.cat(leaves[split:]), positives, excluded, temperature, weights
        )
        torch.autograd.backward(loss)
        for chunk, state, leaf in zip(chunks, states, leaves, strict=True):
            with torch.random.fork_rng():
                _set_random_state(state)
                torch.autograd.backward(embed(chunk), leaf.grad)
    return loss.detach()


def _random_state() -> list[Tensor]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return [torch.get_rng_state(), *cuda]


def _set_random_state(state: list[Tensor]) -> None:
    torch.set_rng_state(state[0])
    if len(state) > 1:
        torch.cuda.set_rng_state_all(state[1:])


def binary_cross_entropy(logits: Tensor, labels: Tensor, positive_weight: float = 1.0) -> Tensor:
    """Mean over pairs of -(w y log p + (1 - y) log(1 - p)), with p the sigmoid of the logit.

    Written with softplus, -log(sigmoid(x)) = softplus(-x), so that no large logit overflows or saturates.

    Args:
        logits: (N,).
        labels: (N,), 1 for a relevant pair and 0 for another; anything between is a soft label.
        positive_weight: w; above 1 it trades precision for recall.

    Returns:
        Scalar mean loss, in nats.

    Raises:
        ValueError: If the shapes differ or the weight is not positive.
    """
    if logits.shape != labels.shape:
        raise ValueError(
            f"{tuple(logits.shape)} logits for {tuple(labels.shape)} labels; give one label for each logit, in order"
        )
    if positive_weight <= 0:
        raise ValueError(f"positive_weight is {positive_weight}; give a number above 0, 1 for no weighting")
    logits, labels = logits.float(), labels.float()
    of_relevant = positive_weight * labels * functional.softplus(-logits)
    return (of_relevant + (1 - labels) * functional.softplus(logits)).mean()  # (N,) -> scalar
