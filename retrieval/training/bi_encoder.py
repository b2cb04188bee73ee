"""Trains the first-stage model: queries against the passages of their batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from retrieval.config.schema import BiEncoderConfig
from retrieval.data.fields import passage_texts, query_texts
from retrieval.models.backbone.batch_inference import Rows as TokenRows
from retrieval.models.bi_encoder import BiEncoder
from retrieval.models.frozen_layers import SplitEncoder, read_lower_layers
from retrieval.models.losses import cached_multiple_negatives_ranking, multiple_negatives_ranking
from retrieval.records import Dataset
from retrieval.runtime import Runtime
from retrieval.search.embedding import corpus_states
from retrieval.training.batches import RankingBatch, RankingPlan, content_fingerprint
from retrieval.training.examples import article_texts, training_examples
from retrieval.training.interpolation import interpolate, learning_weights
from retrieval.training.loop import Log, TrainingReport, fit, forward_passes, forward_precision
from retrieval.training.validation import make_pool, validation_queries


@dataclass(frozen=True, slots=True)
class Pass:
    """Texts that go through the model together.

    Attributes:
        rows: Their token ids.
        longest: Tokens of each that are read; 0 reads all.
    """

    rows: TokenRows
    longest: int


@dataclass(frozen=True)
class BiEncoderTask:
    """Ranks each query's passage above the rest of the batch.

    Attributes:
        model: Learns.
        plan: Makes the batches.
        config: Loss, temperature and pass sizes.
        runtime: Where to compute.
        split: The model above its frozen layers, where what those give is already known.
    """

    model: BiEncoder
    plan: RankingPlan
    config: BiEncoderConfig
    runtime: Runtime
    split: SplitEncoder | None = None
    name: str = "train bi-encoder"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the first epoch and the settings that make the later ones and the loss."""
        settings = self.config.model_dump_json(exclude={"training"})
        cut = self.split.layers if self.split else 0
        return f"{content_fingerprint(self.plan.batches)} {self.plan.seed} {cut} {settings}"

    def batches(self, epoch: int) -> list[RankingBatch]:
        """All batches of one epoch, in order."""
        return self.plan.batches(epoch)

    def backward(self, batch: RankingBatch) -> float:
        """Add the gradients of the batch's mean loss to the model's and return that loss, in nats."""
        queries, query_order = self._passes(self.model.tokenize_queries(batch.queries))
        passages, passage_order = self._passes(
            self.model.tokenize_passages(batch.passages), self.config.training_passage_tokens
        )
        # the passes are sorted by length, so the masks are put into their order: (B, P) -> (B, P)
        positives, excluded = (
            torch.from_numpy(mask[query_order][:, passage_order]).to(self.runtime.device)
            for mask in (batch.positives, batch.excluded)
        )
        weights = torch.from_numpy(batch.weights[query_order]).to(self.runtime.device)
        temperature = self.config.temperature
        if self.config.loss == "cached_mnrl":
            loss = cached_multiple_negatives_ranking(
                self._embed, queries, passages, positives, excluded, temperature, weights
            )
            return float(loss)
        with forward_precision(self.runtime):  # around all passes, so that the weights are rounded once
            query_vectors = torch.cat([self._embed(one) for one in queries])  # (B, D)
            passage_vectors = torch.cat([self._embed(one) for one in passages])  # (P, D)
        loss = multiple_negatives_ranking(query_vectors, passage_vectors, positives, excluded, temperature, weights)
        torch.autograd.backward(loss)
        return float(loss.detach())

    def _embed(self, one: Pass) -> Tensor:
        with forward_precision(self.runtime):
            if self.split:
                return self.split.forward(one.rows, one.longest)
            vectors: Tensor = self.model([_cut(row, one.longest) for row in one.rows])
        return vectors

    def _passes(self, rows: TokenRows, longest: int = 0) -> tuple[list[Pass], list[int]]:
        """Forward passes over the rows, cut to ``longest`` tokens, and the order of the rows in them."""
        lengths = [min(len(row), longest or len(row)) for row in rows]
        passes = forward_passes(lengths, self.config.training, self.runtime)
        if self.config.loss == "cached_mnrl":
            size = self.config.chunk_queries
            passes = [one[start : start + size] for one in passes for start in range(0, len(one), size)]
        order = [row for one in passes for row in one]
        return [Pass([rows[row] for row in one], longest) for one in passes], order


def _cut(row: Sequence[int], longest: int) -> list[int]:
    """A row's first tokens; the closing special token stays."""
    return [*row[: longest - 1], row[-1]] if longest and len(row) > longest else list(row)


def train_bi_encoder(
    encoder: BiEncoder,
    dataset: Dataset,
    config: BiEncoderConfig,
    negatives: Mapping[str, Sequence[str]],
    seed: int,
    runtime: Runtime,
    checkpoint_folder: Path,
    log: Log,
    states_folder: Path | None = None,
) -> TrainingReport:
    """Train an encoder in place on the dataset's training queries; it ends with its best epoch's weights.

    A query learns one of its gold articles an epoch (drawn by seed), standing for which is the passage that
    ``config.passage_choice`` names: its lead passage by default. Passages are bodies without titles; where
    ``config.title_share`` is above 0, that share of the queries not made from titles learns the title instead.
    With ``config.trained_share`` below 1 the weights kept lie between the base's and the best epoch's.
    Validation ranks ``validation_queries`` held-out queries against ``validation_articles`` articles.

    Args:
        encoder: Learns in place.
        dataset: Split and cut, and segmented if the encoder reads segmented text.
        config: How to train.
        negatives: Mined article ids by query id; may be empty.
        seed: Of order and choices.
        runtime: Where to compute.
        checkpoint_folder: Belongs to this training alone; a run killed here resumes from it.
        log: Receives metrics.
        states_folder: Keeps what the frozen layers give for the corpus (`search.embedding.corpus_states`).

    Raises:
        TrainingError: If the dataset lacks something, or the loss is no longer finite.
    """
    kind = encoder.settings.text_kind
    texts = article_texts(dataset.corpus, kind)
    plan = RankingPlan(
        examples=training_examples(dataset.select("train"), texts, kind),
        texts=texts,
        negatives=negatives,
        hard_negatives=config.hard_negatives,
        passage_choice=config.passage_choice,
        title_share=config.title_share,
        title_query_weight=config.title_query_weight,
        batch_queries=config.training.batch_queries,
        batch_articles=config.batch_articles,
        neighbours=config.neighbours,
        seed=seed,
    )
    split = split_at_frozen_layers(encoder, dataset, config, seed, runtime, states_folder)
    task = BiEncoderTask(encoder, plan, config, runtime, split)
    validate = pool_validation(split or encoder, dataset, config, seed, runtime)
    start = learning_weights(encoder, config.training) if config.trained_share < 1.0 else {}
    report = fit(task, config.training, seed, runtime, checkpoint_folder, validate, log)
    if start:
        interpolate(encoder, start, config.trained_share)
    return report


def split_at_frozen_layers(
    encoder: BiEncoder, dataset: Dataset, config: BiEncoderConfig, seed: int, runtime: Runtime, folder: Path | None
) -> SplitEncoder | None:
    """The encoder above its frozen layers, with what those give for every text of the training; None if none is frozen.

    Args:
        encoder: Before training.
        dataset: Split and cut, and segmented if the encoder reads segmented text.
        config: Which layers are frozen.
        seed: Draws the validation queries.
        runtime: Where to compute.
        folder: Keeps the corpus's part.
    """
    layers = config.training.frozen_layers
    if not layers:
        return None
    of_corpus = corpus_states(encoder, dataset.corpus, layers, runtime, folder)
    queries = [*dataset.select("train"), *validation_queries(dataset, config.training.validation_queries, seed)]
    rows = encoder.tokenize_queries(query_texts(queries, encoder.settings.text_kind))
    of_queries = read_lower_layers(encoder.backbone, rows, layers, runtime, label="read queries")
    if of_corpus is None or of_queries is None:
        return None
    return SplitEncoder(encoder, (of_queries, of_corpus))


def pool_validation(
    source: BiEncoder | SplitEncoder, dataset: Dataset, config: BiEncoderConfig, seed: int, runtime: Runtime
) -> Callable[[], float] | None:
    """A function that gives the encoder's MRR@10 on a small pool; None where the dataset has no validation queries."""
    queries = validation_queries(dataset, config.training.validation_queries, seed)
    if not queries:
        return None
    pool = make_pool(dataset, queries, config.training.validation_articles, seed)
    encoder = source.encoder if isinstance(source, SplitEncoder) else source
    kind = encoder.settings.text_kind
    texts = passage_texts(dataset.corpus, kind)
    query_rows = encoder.tokenize_queries(query_texts(queries, kind))
    passage_rows = encoder.tokenize_passages([texts[int(row)] for row in pool.passages])

    def validate() -> float:
        vectors = source.encode_rows(query_rows, runtime)
        return pool.mrr_at_10(vectors, source.encode_rows(passage_rows, runtime))

    return validate
