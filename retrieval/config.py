"""The frozen schema of every YAML key, with its unit and why its default is what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from retrieval.names import BI_ENCODER, BUNDLED, MULTILINGUAL_E5_SMALL

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Shares = Annotated[tuple[Share, ...], Field(min_length=1)]
Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Depths = Annotated[tuple[Positive, ...], Field(min_length=1)]
PoolingName = Literal["mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


class Section(BaseModel):
    """A frozen group of keys that refuses unknown ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataConfig(Section):
    """Where law and questions come from and how they are cut."""

    source: Literal["bundled", "csv"] = "bundled"
    laws: tuple[str, ...] = Field((), description="Số hiệu of the bundled codes to take; empty takes all six.")
    corpus: Path | None = Field(None, description="csv: corpus file (cid,text), plain or .gz.")
    questions: Path | None = Field(None, description="csv: questions file (qid,question,cid), plain or .gz.")
    test_questions: Path | None = Field(None, description="csv: a test file of its own; else a share of questions.")
    natural_questions: Path | None = Field(
        Path("questions.csv"),
        description="bundled: natural questions, half validation and half test, never trained on.",
    )
    training_questions: Path | None = Field(
        Path("training_questions.csv"), description="bundled: hand-written questions to train on, of other articles."
    )
    duplicates: Literal["error", "keep_first"] = Field("error", description="What a repeated cid or qid does.")
    passage_tokens: Positive = Field(192, description="Longest passage, tokens; holds the median article whole.")
    passage_overlap_tokens: Count = Field(24, description="Tokens shared by neighbouring pieces of one long khoản.")
    train_share: Share = 0.7
    validation_share: Share = 0.15
    clause_queries: Count = Field(1, description="Weak supervision: queries from khoản, at most this many an article.")
    path_queries: bool = Field(True, description="Weak supervision: chapter heading + title as a longer query.")
    template_queries: Count = Field(1, description="Weak supervision: template questions, at most this many a title.")
    seen_golds: bool = Field(
        False, description="Lets training and held-out questions share gold articles, as SoICT's own files do."
    )
    workers: Count = Field(0, description="Processes for PyVi; 0 takes one a core.")

    @model_validator(mode="after")
    def _check(self) -> DataConfig:
        if self.source == "csv" and (self.corpus is None or self.questions is None):
            raise ValueError("data.source csv needs data.corpus and data.questions; set both to files")
        if self.train_share + self.validation_share > 1.0:
            raise ValueError(
                f"data.train_share {self.train_share} + data.validation_share {self.validation_share}"
                " is above 1; lower one"
            )
        if self.passage_overlap_tokens >= self.passage_tokens:
            raise ValueError(
                f"data.passage_overlap_tokens {self.passage_overlap_tokens} must be below"
                f" data.passage_tokens {self.passage_tokens}"
            )
        return self


class TrainingConfig(Section):
    """One training loop's knobs, for either model."""

    epochs: Positive = 2
    fast_epochs: Count = Field(
        0, description="Epochs where the arithmetic is bfloat16, on a GPU or a processor made for it; 0: as epochs."
    )
    batch_queries: Positive = Field(32, description="Queries in an optimiser step; each brings one positive.")
    token_budget: Positive = Field(4096, description="Tokens in one forward pass, at most; more cost memory.")
    learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    warmup_share: Share = Field(0.1, description="Share of steps in linear warm-up; the rest decays linearly to 0.")
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    max_gradient_norm: Annotated[float, Field(gt=0)] = 1.0
    patience_epochs: Count = Field(
        2, description="Epochs without a better validation MRR@10 before stopping; 0: never."
    )
    freeze_embeddings: bool = Field(True, description="The table is 82 % of the bundled model and hardly moves.")
    freeze_layers: Count = Field(
        0, description="Lowest transformer layers that stay as they are; on a CPU they are run once for all epochs."
    )
    fast_freeze_layers: Count = Field(0, description="The same where the arithmetic is bfloat16; 0: as freeze_layers.")
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

    base: str = Field(BUNDLED + MULTILINGUAL_E5_SMALL, description="bundled:NAME, a hub id, or a folder.")
    layers: Count = Field(0, description="Keep only this many lowest layers of the base; 0 keeps all.")
    pooling: PoolingName | None = Field(None, description="None takes what the base records.")
    normalize: bool | None = Field(
        None, description="Vectors of unit length; None: wherever the base compares by cosine, its default."
    )
    query_prefix: str | None = Field(None, description="Put before a query; None takes what the base records.")
    passage_prefix: str | None = Field(None, description="Put before a passage; None takes what the base records.")
    max_query_tokens: Positive = 64
    max_passage_tokens: Positive = 256
    training_passage_tokens: Count = Field(
        0, description="Tokens of a passage read in training; 0 reads max_passage_tokens. Shorter is faster."
    )
    loss: Literal["mnrl", "cached_mnrl"] = "mnrl"
    temperature: Annotated[float, Field(gt=0)] = 0.02
    chunk_queries: Positive = Field(16, description="cached_mnrl: queries embedded at once; bounds memory.")
    hard_negatives: Count = Field(0, description="Mined negatives a query; naive ones hurt, so none by default.")
    batch_articles: Count = Field(
        0, description="Articles a step, each with all its queries; 0: training.batch_queries queries of any article."
    )
    neighbours: Positive = Field(
        8, description="With batch_articles: articles that follow one another and stay together, as hard negatives."
    )
    passage_choice: Literal["first", "rotate", "overlap"] = Field(
        "first",
        description="Which passage of a gold is the positive; rotate: the next each epoch, overlap: most shared words.",
    )
    title_share: Share = Field(
        0.0, description="Share of queries not made from titles whose positive is the title, to train that field."
    )
    title_query_weight: Annotated[float, Field(gt=0)] = Field(
        1.0,
        description="What a query made from a title counts in the loss, where another counts 1; more helps titles and,"
        " above 2, costs questions.",
    )
    trained_share: Share = Field(
        1.0, description="Share of the trained weights in the kept ones, the base's are the rest; below 1 forgets less."
    )
    training: TrainingConfig = TrainingConfig()


class MiningConfig(Section):
    """Hard negatives, taken from the first stage's ranking."""

    negatives: Positive = 3
    first_rank: Positive = 2
    last_rank: Positive = 40
    sampling: Literal["random", "top"] = "random"
    max_score: float | None = Field(None, description="Skip candidates scored above this (cosine).")
    absolute_margin: Annotated[float, Field(ge=0)] = Field(0.0, description="Must score this much below the best gold.")
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
    pooling: PoolingName | None = None
    max_tokens: Positive = Field(256, description="Query and passage together.")
    max_query_tokens: Positive = 64
    positive_weight: Annotated[float, Field(gt=0)] = Field(1.0, description="Weight of a relevant pair in the loss.")
    training_queries: Count = Field(0, description="Training queries used, drawn by seed; 0 takes all.")
    fast_training_queries: Count = Field(
        0, description="The same where the arithmetic is bfloat16; 0: as training_queries."
    )
    training: TrainingConfig = TrainingConfig(epochs=1)

    @property
    def separate_layers(self) -> int:
        """Lowest layers that read query and passage apart."""
        return self.training.frozen_layers if self.separate_frozen_layers else 0


class SearchConfig(Section):
    """First stage, fusion and reranking."""

    bm25_k1: Annotated[float, Field(gt=0)] = 1.2
    bm25_b: Share = 0.75
    bm25_units: Literal["words", "syllables", "bigrams"] = Field(
        "bigrams", description="BM25 tokens; syllables with their neighbours beat PyVi words on validation."
    )
    bm25_title_count: Count = Field(
        3, description="Times BM25 counts a title: MRR@10 of training questions .640, against .634 at 1."
    )
    bm25_headings: bool = Field(
        True,
        description="BM25 reads the law's name and the headings above an article: MRR@10 of the untouched encoder's"
        " hybrid +.004 on training questions, +.008 on training titles.",
    )
    named_weight: Share = Field(
        0.3,
        description="What a found article gains where the question names its law; named by number as well it comes"
        " first. MRR@10 of 500 training questions after 'Theo Bộ luật ...': .693 without, .727 at .3, .730 at .5; of"
        " the 48 that name a law by themselves: .652, .655, .659.",
    )
    candidates: Positive = Field(100, description="Articles kept by each first-stage searcher.")
    title_weights: Shares = Field((0.0, 0.2, 0.3, 0.4, 0.5), description="Title field's shares tried on validation.")
    opening_weights: Shares = Field(
        (0.0, 0.1, 0.2, 0.3), description="Shares of an article's first passage tried on validation."
    )
    bm25_weights: Shares = Field((0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), description="BM25's shares tried on validation.")
    rerank_depths: Depths = Field((5, 10, 20), description="Candidates reranked; tried on validation.")
    rerank_tuning_queries: Count = Field(
        0, description="Validation queries of a kind whose reranking chooses depth and weight, at most; 0: all."
    )
    rerank_weights: Shares = Field(
        (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0), description="Reranker's shares tried on validation."
    )


class EvaluationConfig(Section):
    """What is measured, and for `--pipeline evaluation` on what."""

    cutoffs: tuple[Positive, ...] = (1, 3, 5, 10, 20, 50, 100)
    bootstrap_samples: Positive = Field(10_000, description="Resamples behind each interval.")
    failed_cases: Positive = Field(50, description="Worst queries listed in failed_cases.csv and the page.")
    reranked_queries: Count = Field(0, description="Title queries a split, drawn by seed; 0 takes all.")
    questions: Path | None = Field(None, description="evaluation pipeline: SoICT-format questions to score.")
    corpus: Path | None = Field(None, description="evaluation pipeline: another corpus; default the model's own.")
    model: str = Field("latest", description="evaluation pipeline: latest, staging, production or a version.")
    output: Path = Path("reports/evaluation")


class GatesConfig(Section):
    """What a retriever must reach to be staged; floors are on validation-independent test queries."""

    min_mrr_at_10: Share = 0.6
    min_recall_at_100: Share = 0.9
    min_gain_over_bm25: float = Field(0.0, description="Reranked minus BM25, MRR@10.")
    max_p_value: Share = Field(0.05, description="A loss against production counts when its p-value is below this.")
    latency_budget_seconds: Annotated[float, Field(gt=0)] = Field(
        2.0, description="promotion: 95 % of questions must be answered within this, here; a pause people accept."
    )
    latency_questions: Positive = Field(50, description="promotion: test questions asked one by one to measure that.")


class TrackingConfig(Section):
    """MLflow names."""

    experiment: str = "legal-retrieval"
    system_metrics_seconds: Annotated[float, Field(ge=0)] = Field(
        10.0, description="Seconds between readings of processor, memory, disk and network while a step runs; 0: none."
    )


class OrchestrationConfig(Section):
    """When an orchestrator that runs by itself (Airflow, Kubernetes) starts the pipeline, and how often it tries."""

    schedule: str = Field("", description="Cron expression in UTC, such as 0 2 * * 0; empty: only when asked to.")
    retries: Count = Field(2, description="Times a failed step is tried again; nobody is there to do it by hand.")
    retry_delay_seconds: Count = Field(60, description="Wait before each; long enough for a server to come back.")

    @field_validator("schedule")
    @classmethod
    def _five_fields(cls, schedule: str) -> str:
        if len(schedule.split()) not in {0, 5}:
            raise ValueError(f"orchestration.schedule: got {schedule!r}; a cron expression has five fields: 0 2 * * 0")
        return schedule


class PromotionConfig(Section):
    """`--pipeline promotion`."""

    version: str = Field("staging", description="staging, latest or a version number of legal-retriever.")
    rollback: bool = False
    show: bool = False


class Config(Section):
    """One run's configuration."""

    name: str = "quickstart"
    seed: Count = 42
    threads: Count = Field(0, description="Compute threads; 0 takes one a core.")
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="auto probes the processor.")
    reports: Path = Path("reports")
    data: DataConfig = DataConfig()
    bi_encoder: BiEncoderConfig = BiEncoderConfig()
    mining: MiningConfig = MiningConfig()
    cross_encoder: CrossEncoderConfig = CrossEncoderConfig()
    search: SearchConfig = SearchConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    gates: GatesConfig = GatesConfig()
    tracking: TrackingConfig = TrackingConfig()
    orchestration: OrchestrationConfig = OrchestrationConfig()
    promotion: PromotionConfig = PromotionConfig()
