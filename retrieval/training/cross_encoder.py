"""Trains the reranker: query and passage pairs, relevant or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from retrieval.config.schema import CrossEncoderConfig
from retrieval.data.fields import query_texts
from retrieval.errors import TrainingError
from retrieval.models.cross_encoder import CrossEncoder
from retrieval.models.frozen_layers import TokenStates
from retrieval.models.losses import binary_cross_entropy
from retrieval.models.pair import Document, Pair
from retrieval.models.split_cross_encoder import SplitCrossEncoder
from retrieval.records import Dataset, Query
from retrieval.runtime import Runtime
from retrieval.training.batches import (
    content_fingerprint,
    draw_training_queries,
    generator,
    shuffled_groups,
)
from retrieval.training.loop import Log, TrainingReport, fit, forward_passes
from retrieval.training.validation import candidates_mrr, candidates_of, validation_queries

_CALIBRATION_BATCHES = 6
PassageOf = Callable[[str, str], Document]
"""What the reranker reads of an article for a query, from query id and article id."""


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Pairs of one optimiser step.

    Attributes:
        pairs: N of query and document.
        labels: N, 1.0 for a relevant pair and 0.0 for another.
    """

    pairs: tuple[Pair, ...]
    labels: tuple[float, ...]


@dataclass(frozen=True)
class PairPlan:
    """Everything that decides the batches of a reranker's training.

    Attributes:
        queries: Training queries, each with mined negatives.
        texts: What the model reads of each, in the same order.
        negatives: Mined article ids by query id.
        passage_of: What it reads of an article.
        batch_queries: Queries in a batch; each brings one gold article and all its negatives.
        seed: Of the order and the choice among several gold articles.
    """

    queries: Sequence[Query]
    texts: Sequence[str]
    negatives: Mapping[str, Sequence[str]]
    passage_of: PassageOf
    batch_queries: int
    seed: int

    def batches(self, epoch: int) -> list[PairBatch]:
        """All batches of one epoch, in order."""
        rows = range(len(self.queries))
        return [self._batch(group, epoch) for group in shuffled_groups(rows, self.batch_queries, self.seed, epoch)]

    def _batch(self, group: Sequence[int], epoch: int) -> PairBatch:
        pairs, labels = [], []
        for row in group:
            query = self.queries[row]
            gold = query.cids[int(generator(self.seed, epoch, query.qid).integers(len(query.cids)))]
            others = [cid for cid in self.negatives[query.qid] if cid not in query.cids]
            pairs += [(self.texts[row], self.passage_of(query.qid, cid)) for cid in (gold, *others)]
            labels += [1.0, *[0.0] * len(others)]
        return PairBatch(tuple(pairs), tuple(labels))


@dataclass(frozen=True)
class CrossEncoderTask:
    """Tells relevant pairs from others.

    Attributes:
        model: Learns.
        plan: Makes the batches.
        config: Positive weight and pass sizes.
        runtime: Where to compute.
    """

    model: CrossEncoder
    plan: PairPlan
    config: CrossEncoderConfig
    runtime: Runtime
    name: str = "train cross-encoder"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the first epoch and the settings that make the later ones and the loss."""
        settings = self.config.model_dump_json(exclude={"training"})
        return f"{content_fingerprint(self.plan.batches)} {self.plan.seed} {settings}"

    def batches(self, epoch: int) -> list[PairBatch]:
        """All batches of one epoch, in order."""
        return self.plan.batches(epoch)

    def backward(self, batch: PairBatch) -> float:
        """Add the gradients of the batch's mean loss to the model's and return that loss, in nats.

        Pairs do not see one another in this loss, so each pass goes backward at once and its memory is freed.
        """
        rows = self.model.tokenize(batch.pairs)
        lengths = [len(row) for row in rows]
        passes = forward_passes(lengths, self.config.training, self.runtime)
        total = 0.0
        for one in passes:
            labels = torch.tensor([batch.labels[row] for row in one], device=self.runtime.device)
            logits = self.model.logits([rows[row] for row in one], self.runtime)  # (n,)
            loss = binary_cross_entropy(logits, labels, self.config.positive_weight) * (len(one) / len(rows))
            torch.autograd.backward(loss)
            total += float(loss.detach())
        return total


def train_cross_encoder(
    reranker: CrossEncoder,
    dataset: Dataset,
    config: CrossEncoderConfig,
    negatives: Mapping[str, Sequence[str]],
    seed: int,
    runtime: Runtime,
    checkpoint_folder: Path,
    log: Log,
    passage_of: PassageOf,
    states: TokenStates | None = None,
) -> TrainingReport:
    """Train a reranker in place on mined pairs; it ends with its best epoch's weights.

    Args:
        reranker: Learns in place.
        dataset: Split and cut, and segmented if the reranker reads segmented text.
        config: How to train; ``training_queries`` above 0 draws that many training queries by seed.
        negatives: Mined article ids by query id; training queries without any are left out. Validation queries that
            have some are reranked after each epoch, their gold articles among them.
        seed: Of order and choices.
        runtime: Where to compute.
        checkpoint_folder: Belongs to this training alone; a run killed here resumes from it.
        log: Receives metrics.
        passage_of: What the reranker reads of an article for a query.
        states: The corpus after the layers that read texts apart (`search.embedding.corpus_states`), where known.

    Raises:
        TrainingError: If no training query has mined negatives, or the loss is no longer finite.
    """
    kind = reranker.settings.text_kind
    queries = [query for query in dataset.select("train") if query.cids and negatives.get(query.qid)]
    if not queries:
        raise TrainingError(
            f"none of {len(dataset.select('train'))} training queries has mined negatives; widen mining.last_rank"
            " or lower its margins"
        )
    queries = draw_training_queries(queries, config.training_queries, seed)
    texts = query_texts(queries, kind)
    plan = PairPlan(queries, texts, negatives, passage_of, config.training.batch_queries, seed)
    task = CrossEncoderTask(reranker, plan, config, runtime)
    if reranker.late:
        _read_apart(reranker.late, plan, config.training.epochs, states, runtime)
    validate = candidate_validation(reranker, dataset, config, negatives, seed, runtime, passage_of)
    return fit(task, config.training, seed, runtime, checkpoint_folder, validate, log)


def _read_apart(
    late: SplitCrossEncoder, plan: PairPlan, epochs: int, states: TokenStates | None, runtime: Runtime
) -> None:
    """Run the lower layers over every text of the training, and let the head see how far its features spread."""
    late.states = (states,) if states else ()
    batches = [late.rows(batch.pairs) for epoch in range(epochs) for batch in plan.batches(epoch)]
    late.know([row for batch in batches for row in batch], runtime)
    with torch.no_grad():
        late.head.calibrate([late.joined(batch, runtime) for batch in batches[:_CALIBRATION_BATCHES]])


def candidate_validation(
    reranker: CrossEncoder,
    dataset: Dataset,
    config: CrossEncoderConfig,
    negatives: Mapping[str, Sequence[str]],
    seed: int,
    runtime: Runtime,
    passage_of: PassageOf,
) -> Callable[[], float] | None:
    """A function that gives the reranker's MRR@10 on mined candidates; None where no validation query has any."""
    every = validation_queries(dataset, len(dataset.queries), seed)
    candidates = candidates_of(every, negatives)
    queries = [query for query in every if query.qid in candidates][: config.training.validation_queries]
    if not queries:
        return None
    texts = query_texts(queries, reranker.settings.text_kind)
    pairs = [
        (text, passage_of(query.qid, cid))
        for query, text in zip(queries, texts, strict=True)
        for cid in candidates[query.qid]
    ]

    def validate() -> float:
        return candidates_mrr(queries, candidates, reranker.score(pairs, runtime).tolist())

    return validate
