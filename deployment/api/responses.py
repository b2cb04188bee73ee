"""What clients get: the shape of every answer and error, for the OpenAPI documents."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from deployment.engine.states_report import PassageStatesOut
from deployment.errors import CODES
from retrieval.search.results import Citation


class TimingsOut(BaseModel):
    """Where the time went, in milliseconds."""

    queue: float
    tokenise: float
    infer: float
    total: float


class CostOut(BaseModel):
    """What a request cost: its share of the machine's seconds, times the machine's price."""

    worker_seconds: float
    usd: float
    machine: str
    priced_on: str = Field(description="Month of the list price; empty for a price of one's own.")


class Served(BaseModel):
    """What every answer of a model carries."""

    model: str
    model_version: str
    index_version: str
    timings_ms: TimingsOut
    tokens: int
    truncated: list[bool] = Field(description="Whether each text lost its end.")
    truncated_count: int
    cost: CostOut


class EmbedOut(Served):
    """One vector."""

    embedding: list[float]
    dimension: int
    count: int
    encode_time_ms: float


class BatchEmbedOut(Served):
    """Vectors in the order of the texts."""

    embeddings: list[list[float]]
    dimension: int
    count: int
    encode_time_ms: float


class FirstStageOut(BaseModel):
    """Why the first stage ranks an article where it does; scaled scores compare it with others, from 0 to 1."""

    bm25: float | None = Field(description="BM25's score; null where BM25 did not find the article.")
    bm25_scaled: float
    dense: float | None = Field(description="Score of the vectors; null where they did not find the article.")
    dense_scaled: float
    passage: float = Field(description="Cosine of question and nearest passage.")
    title: float | None = Field(description="Cosine of question and title; null where titles are not searched.")
    hybrid: float = Field(description="Ranks it: both scaled scores mixed, moved where the question names something.")
    citation: Citation | None = Field(
        None, description="article: the question names it; law_or_number: its law or its number."
    )


class ArticleOut(BaseModel):
    """An article that was found."""

    rank: int
    cid: str
    score: float
    title: str
    law: str
    path: list[str]
    snippet: str = Field(description="Its passage nearest to the question.")
    components: FirstStageOut


class SearchOut(Served):
    """Articles, best first."""

    results: list[ArticleOut]
    count: int
    encode_time_ms: float


class RerankedOut(BaseModel):
    """A document in its new place."""

    index: int = Field(description="Its place in the request, from 0.")
    id: str | int | None
    text: str
    metadata: dict[str, Any]
    score: float
    rank: int


class RerankOut(Served):
    """Documents, best first."""

    results: list[RerankedOut]
    count: int


class ScorePairOut(Served):
    """A score within 0 and 1, and the logit it comes from."""

    score: float
    logit: float


class BatchScoreOut(Served):
    """Scores in the order of the pairs."""

    scores: list[float]
    logits: list[float]
    count: int


class EmbeddingOut(BaseModel):
    """One vector in OpenAI's shape."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class UsageOut(BaseModel):
    """Tokens read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsOut(Served):
    """OpenAI's embeddings answer."""

    object: Literal["list"]
    data: list[EmbeddingOut]
    usage: UsageOut


class RelevanceOut(BaseModel):
    """A document in Cohere's and Jina's shape."""

    index: int
    relevance_score: float
    document: dict[str, Any] | None = None


class MetaOut(BaseModel):
    """What Cohere tells besides."""

    api_version: dict[str, str]
    tokens: dict[str, int]


class V1RerankOut(Served):
    """Cohere's and Jina's rerank answer."""

    id: str
    results: list[RelevanceOut]
    meta: MetaOut
    usage: UsageOut


class ModelOut(BaseModel):
    """A model in OpenAI's shape."""

    id: str
    object: Literal["model"]
    created: int = Field(description="Since when it is served here, in seconds of Unix time.")
    owned_by: str
    root: str = Field(description="Its version.")


class ModelsOut(BaseModel):
    """OpenAI's list of models."""

    object: Literal["list"]
    data: list[ModelOut]


class Health(BaseModel):
    """The process is alive."""

    status: Literal["alive"]


class ServiceOut(BaseModel):
    """A service that the gateway asks, as it was seen last."""

    address: str
    status: Literal["ready", "not_ready"]
    reason: str = Field(description="Why it is not ready; empty where it is.")


class Ready(BaseModel):
    """The bundle is verified, the model warm, and what a question needs answers."""

    status: Literal["ready"]
    cold_start_seconds: float
    versions: dict[str, str]
    passage_states: PassageStatesOut | None = Field(
        None, description="Of the cross-encoder; null where there is none, or none that reads law apart on a CPU."
    )
    services: dict[str, ServiceOut] | None = Field(None, description="Of a gateway in front of services.")


class Fault(BaseModel):
    """What went wrong."""

    code: Literal[CODES]  # type: ignore[valid-type]
    message: str


class ErrorOut(BaseModel):
    """Every error has this shape."""

    error: Fault


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorOut, "description": text}
    for status, text in {
        400: "The body is not JSON.",
        401: "No key, or one that is not known.",
        408: "The body did not arrive in time.",
        413: "The body is too large.",
        422: "The body is JSON but not what is taken here.",
        429: "Too many requests, or a full queue; Retry-After says when to try again.",
        500: "The model failed.",
        503: "The model is not loaded yet.",
    }.items()
}
"""Answers that any call of a model can get."""
