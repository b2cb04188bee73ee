"""The frozen schema of every YAML key, with its unit and why its default is what it is, but for the models' keys."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from retrieval.config.models import (
    AboveZero,
    BiEncoderConfig,
    Count,
    CrossEncoderConfig,
    Depths,
    MiningConfig,
    NotNegative,
    Positive,
    Section,
    Share,
    Shares,
    TrainingConfig,
)

__all__ = [
    "BiEncoderConfig",
    "Config",
    "CrossEncoderConfig",
    "DataConfig",
    "EvaluationConfig",
    "GatesConfig",
    "MiningConfig",
    "MonitoringConfig",
    "OrchestrationConfig",
    "PromotionConfig",
    "SearchConfig",
    "Section",
    "TrackingConfig",
    "TrainingConfig",
]


class DataConfig(Section):
    """Where law and questions come from and how they are cut."""

    source: Literal["bundled", "csv"] = Field("bundled", description="The six codes of the package, or files.")
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
    train_share: Share = Field(0.7, description="Queries to train on, of those with no split of their own.")
    validation_share: Share = Field(0.15, description="Queries to choose settings on; the rest is the test.")
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


class SearchConfig(Section):
    """First stage, fusion and reranking."""

    bm25_k1: AboveZero = Field(1.2, description="How soon another occurrence of a word adds nothing; Lucene's value.")
    bm25_b: Share = Field(0.75, description="How much a long article's words count less; Lucene's value.")
    bm25_units: Literal["words", "syllables", "bigrams"] = Field(
        "bigrams", description="BM25 tokens; syllables with their neighbours beat PyVi words on validation."
    )
    bm25_title_count: Count = Field(
        3, description="Times BM25 counts a title: MRR@10 of training questions .640, against .634 at 1."
    )
    bm25_headings: bool = Field(
        True,
        description="BM25 reads the law's name and the headings above an article: MRR@10 of the pretrained encoder's"
        " hybrid +.004 on training questions, +.008 on training titles.",
    )
    citation_weight: Share = Field(
        0.3,
        description="What a found article gains where the question names its law; named by number as well it comes"
        " first. MRR@10 of 500 training questions after 'Theo Bộ luật ...': .693 without, .727 at .3, .730 at .5; of"
        " the 48 that name a law by themselves: .652, .655, .659.",
    )
    candidates: Positive = Field(100, description="Articles kept by each first-stage searcher.")
    title_weights: Shares = Field((0.0, 0.2, 0.3, 0.4, 0.5), description="Title field's shares tried on validation.")
    lead_passage_weights: Shares = Field(
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

    cutoffs: tuple[Positive, ...] = Field((1, 3, 5, 10, 20, 50, 100), description="Ranks k of recall@k and the like.")
    bootstrap_samples: Positive = Field(10_000, description="Resamples behind each interval.")
    failed_cases: Positive = Field(50, description="Worst queries listed in failed_cases.csv and the page.")
    reranked_queries: Count = Field(0, description="Title queries a split, drawn by seed; 0 takes all.")
    questions: Path | None = Field(None, description="evaluation pipeline: SoICT-format questions to score.")
    corpus: Path | None = Field(None, description="evaluation pipeline: another corpus; default the model's own.")
    model: str = Field("latest", description="evaluation pipeline: latest, staging, production or a version.")
    output: Path = Field(Path("reports/evaluation"), description="evaluation pipeline: folder of its report and runs.")


class GatesConfig(Section):
    """What a retriever must reach to be staged; floors are on validation-independent test queries."""

    min_mrr_at_10: Share = Field(0.6, description="Floor of the reranked questions' MRR@10.")
    min_recall_at_100: Share = Field(0.9, description="Floor of their recall@100.")
    min_gain_over_bm25: float = Field(0.0, description="Reranked minus BM25, MRR@10.")
    max_p_value: Share = Field(0.05, description="A loss against production counts when its p-value is below this.")
    latency_budget_seconds: AboveZero = Field(
        2.0, description="promotion: 95 % of questions must be answered within this, here; a pause people accept."
    )
    latency_questions: Positive = Field(50, description="promotion: test questions asked one by one to measure that.")


class TrackingConfig(Section):
    """MLflow names."""

    experiment: str = Field("legal-retrieval", description="Experiment whose runs these are.")
    system_metrics_seconds: NotNegative = Field(
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
    rollback: bool = Field(False, description="Puts the version that was in production before back there.")
    show: bool = Field(False, description="Lists the versions and changes nothing.")


class MonitoringConfig(Section):
    """Where a run's outcome is seen after it has ended."""

    pushgateway: str = Field(
        "",
        description="Address of a Pushgateway, such as http://127.0.0.1:9091, to which a run pushes its outcome;"
        " empty: MONITORING_PUSHGATEWAY, and without that nothing is pushed.",
    )


class Config(Section):
    """One run's configuration."""

    name: str = Field("quickstart", description="Ends the name of a DAG or a schedule; a shipped file's is its own.")
    seed: Count = Field(42, description="Of splits, order, drawn queries and the bootstrap.")
    threads: Count = Field(0, description="Compute threads; 0 takes one a core.")
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="auto probes the processor.")
    reports: Path = Field(Path("reports"), description="Folder of the training pipeline's reports.")
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
    monitoring: MonitoringConfig = MonitoringConfig()
