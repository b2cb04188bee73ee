"""The frozen schema of what the models are and how they learn, and the kinds of values all sections use."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from retrieval.names import BI_ENCODER, BUNDLED, MULTILINGUAL_E5_SMALL

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Shares = Annotated[tuple[Share, ...], Field(min_length=1)]
Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
AboveZero = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Depths = Annotated[tuple[Positive, ...], Field(min_length=1)]
PoolingName = Literal["mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
Value = TypeVar("Value")


class ReadBy(Enum):
    """What a key of the bi-encoder decides; each key is marked with one of them."""

    BASE = "base"
    """The model as it is before training, hence its vectors, which are the baseline."""
    TRAINING = "training"
    """Training alone: the model before training is the same whatever the key says."""


OfBase = Annotated[Value, ReadBy.BASE]
OfTraining = Annotated[Value, ReadBy.TRAINING]


class Section(BaseModel):
    """A frozen group of keys that refuses unknown ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def keys_read_by(cls, reader: ReadBy) -> tuple[str, ...]:
        """Keys that are marked with what reads them, in order."""
        return tuple(name for name, field in cls.model_fields.items() if reader in field.metadata)


class TrainingConfig(Section):
    """One training loop's knobs, for either model."""

    epochs: Positive = Field(2, description="Passes over the training queries, at most.")
    batch_queries: Positive = Field(32, description="Queries in an optimiser step; each brings one positive.")
    token_budget: Positive = Field(4096, description="Tokens in one forward pass, at most; more cost memory.")
    learning_rate: AboveZero = Field(5e-5, description="Highest step size of AdamW, reached at the end of the warm-up.")
    warmup_share: Share = Field(0.1, description="Share of steps in linear warm-up; the rest decays linearly to 0.")
    weight_decay: NotNegative = Field(0.01, description="AdamW's pull of weights towards 0.")
    max_gradient_norm: AboveZero = Field(1.0, description="Longer gradients are scaled down to this norm.")
    patience_epochs: Count = Field(
        2, description="Epochs without a better validation MRR@10 before stopping; 0: never."
    )
    freeze_embeddings: bool = Field(True, description="The table is 82 % of the bundled model and hardly moves.")
    freeze_layers: Count = Field(
        0, description="Lowest transformer layers that stay as they are; on a CPU they are run once for all epochs."
    )
    max_steps: Count = Field(0, description="Optimiser steps at most; 0 means no limit.")
    checkpoint_steps: Positive = Field(25, description="Optimiser steps between resumable checkpoints.")
    validation_queries: Positive = Field(100, description="Validation queries scored after each epoch, at most.")
    validation_articles: Positive = Field(
        300, description="Bi-encoder: articles they are ranked against, golds included; more is slower, finer."
    )

    @property
    def frozen_layers(self) -> int:
        """Lowest layers below which nothing learns, so that what they give of a text is always the same."""
        return self.freeze_layers if self.freeze_embeddings else 0


class BiEncoderConfig(Section):
    """The first-stage model."""

    base: OfBase[str] = Field(BUNDLED + MULTILINGUAL_E5_SMALL, description="bundled:NAME, a hub id, or a folder.")
    layers: OfBase[Count] = Field(0, description="Keep only this many lowest layers of the base; 0 keeps all.")
    pooling: OfBase[PoolingName | None] = Field(None, description="null takes what the base records.")
    normalize: OfBase[bool | None] = Field(
        None, description="Vectors of unit length; null: wherever the base compares by cosine, its default."
    )
    query_prefix: OfBase[str | None] = Field(None, description="Put before a query; null takes what the base records.")
    passage_prefix: OfBase[str | None] = Field(
        None, description="Put before a passage; null takes what the base records."
    )
    max_query_tokens: OfBase[Positive] = Field(64, description="Tokens read of a query; what is longer is cut.")
    max_passage_tokens: OfBase[Positive] = Field(256, description="Tokens read of a passage; what is longer is cut.")
    training_passage_tokens: OfTraining[Count] = Field(
        0, description="Tokens of a passage read in training; 0 reads max_passage_tokens. Shorter is faster."
    )
    loss: OfTraining[Literal["mnrl", "cached_mnrl"]] = Field(
        "mnrl",
        description="Cross-entropy over the batch's passages; cached_mnrl embeds it in pieces, for large batches.",
    )
    temperature: OfTraining[AboveZero] = Field(0.02, description="Divides the cosines in the loss; smaller is sharper.")
    chunk_queries: OfTraining[Positive] = Field(16, description="cached_mnrl: queries embedded at once; bounds memory.")
    hard_negatives: OfTraining[Count] = Field(
        0, description="Mined negatives a query; naive ones hurt, so none by default."
    )
    batch_articles: OfTraining[Count] = Field(
        0, description="Articles a step, each with all its queries; 0: training.batch_queries queries of any article."
    )
    neighbours: OfTraining[Positive] = Field(
        8, description="With batch_articles: articles that follow one another and stay together, as hard negatives."
    )
    passage_choice: OfTraining[Literal["first", "rotate", "overlap"]] = Field(
        "first",
        description="Which passage of a gold is the positive; rotate: the next each epoch, overlap: most shared words.",
    )
    title_share: OfTraining[Share] = Field(
        0.0, description="Share of queries not made from titles whose positive is the title, to train that field."
    )
    title_query_weight: OfTraining[AboveZero] = Field(
        1.0,
        description="What a query made from a title counts in the loss, where another counts 1; more helps titles and,"
        " above 2, costs questions.",
    )
    trained_share: OfTraining[Share] = Field(
        1.0, description="Share of the trained weights in the kept ones, the base's are the rest; below 1 forgets less."
    )
    training: OfTraining[TrainingConfig] = TrainingConfig()


class MiningConfig(Section):
    """Hard negatives, taken from the first stage's ranking."""

    negatives: Positive = Field(3, description="Articles a query.")
    first_rank: Positive = Field(2, description="Best rank that is taken; what stands above it may well answer.")
    last_rank: Positive = Field(40, description="Worst rank that is taken.")
    sampling: Literal["random", "top"] = Field(
        "random", description="Which of those ranks: drawn by seed, or the best."
    )
    max_score: float | None = Field(None, description="Skip candidates scored above this (cosine).")
    absolute_margin: NotNegative = Field(0.0, description="Must score this much below the best gold.")
    relative_margin: Share = Field(0.0, description="Candidate must score below (1 - margin) x the best gold's score.")

    @model_validator(mode="after")
    def _check(self) -> MiningConfig:
        if self.first_rank > self.last_rank:
            raise ValueError(f"mining.first_rank {self.first_rank} is after mining.last_rank {self.last_rank}")
        return self


class CrossEncoderConfig(Section):
    """The reranker."""

    base: str = Field(BI_ENCODER, description="bi-encoder (the trained one), bundled:NAME, hub id or folder.")
    layers: Count = Field(0, description="Keep only this many lowest layers of the base; 0 keeps all.")
    separate_frozen_layers: bool = Field(
        False, description="The frozen layers read query and passage apart, so that their output can be kept."
    )
    pooling: PoolingName | None = Field(None, description="null takes what the base records.")
    max_tokens: Positive = Field(256, description="Query and passage together.")
    max_query_tokens: Positive = Field(64, description="Tokens read of a query; what is longer is cut.")
    positive_weight: AboveZero = Field(1.0, description="Weight of a relevant pair in the loss.")
    training_queries: Count = Field(0, description="Training queries used, drawn by seed; 0 takes all.")
    training: TrainingConfig = TrainingConfig(epochs=1)

    @property
    def separate_layers(self) -> int:
        """Lowest layers that read query and passage apart."""
        return self.training.frozen_layers if self.separate_frozen_layers else 0
