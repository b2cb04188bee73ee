"""Answers in the shapes of OpenAI and Cohere, and the list of the one model that is served."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from deployment.api.compatible.requests import EmbeddingsIn, RerankDocument, RerankIn
from deployment.api.handlers import BI_ENCODER, CROSS_ENCODER, Asked, best, embedded_facts, scored_facts
from deployment.api.validation_errors import validated
from deployment.errors import InvalidInput, NotFound
from retrieval.names import LEGAL_RETRIEVER

if TYPE_CHECKING:  # as in deployment.api.handlers
    from deployment.engine.embedding import EmbeddingEngine
    from deployment.engine.model_queue import Read
    from deployment.engine.reranking import RerankingEngine

EMBEDDINGS_PATHS = ("/v1/embeddings", "/embeddings")
RERANK_PATHS = ("/v1/rerank", "/v2/rerank", "/rerank")
MODELS_PATHS = ("/v1/models", "/models")
"""Addresses without a version are what LiteLLM's infinity/ and hosted_vllm/ ask."""
_EMBEDDINGS, _RERANK = TypeAdapter(EmbeddingsIn), TypeAdapter(RerankIn)


async def openai_embeddings(engine: EmbeddingEngine, payload: EmbeddingsIn, asked: Asked) -> dict[str, Any]:
    """Answer OpenAI's embeddings request.

    Raises:
        Refusal: If another size of vectors is asked for, a text is too long where it must not be cut, or the model
            cannot answer.
    """
    started = time.monotonic()
    for name in ("dimensions", "output_dimension"):
        size = getattr(payload, name)
        if size not in {None, engine.dimension}:
            raise InvalidInput(
                f"{name} is {str(size)[:40]}; this model gives {engine.dimension}, so send that or leave it out"
            )
    embedded = await engine.embed(payload.texts, payload.kind, asked.deadline_seconds)
    if not payload.cut:
        _refuse_cut(embedded.read, "input" if isinstance(payload.input, str) else "input.{row}")
    numbers = embedded.vectors
    if payload.unit_length:
        numbers = numbers / np.maximum(np.linalg.norm(numbers, axis=1, keepdims=True), 1e-12)
    vectors: Sequence[Any] = numbers.tolist()
    if payload.packed:
        vectors = [base64.b64encode(vector.astype("<f4").tobytes()).decode() for vector in numbers]
    data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    facts = embedded_facts(engine, embedded, asked, started)
    return {"object": "list", "data": data, "usage": _usage(embedded.read), **facts}


async def cohere_rerank(engine: RerankingEngine, payload: RerankIn, asked: Asked) -> dict[str, Any]:
    """Answer Cohere's and Jina's rerank request."""
    started = time.monotonic()
    scored = await engine.score(payload.query, [payload.read(one) for one in payload.documents], asked.deadline_seconds)
    if not payload.cut:
        _refuse_cut(scored.read, "documents.{row}")
    scores = scored.logits if payload.raw_scores else scored.scores
    results: list[dict[str, Any]] = []
    for row in best(scored, payload.most):
        result: dict[str, Any] = {"index": row, "relevance_score": float(scores[row])}
        if payload.return_documents:
            result["document"] = _as_sent(payload.documents[row])
        results.append(result)
    usage = _usage(scored.read)
    return {
        "id": str(uuid.uuid4()),
        "results": results,
        "meta": {"api_version": {"version": "2"}, "tokens": {"input_tokens": usage["prompt_tokens"]}},
        "usage": usage,
        **scored_facts(engine, scored, asked, started),
    }


def models(engine: EmbeddingEngine | RerankingEngine, name: str) -> dict[str, Any]:
    """OpenAI's list of models: the one there is."""
    return {"object": "list", "data": [_model(engine, name)]}


def model(engine: EmbeddingEngine | RerankingEngine, name: str, asked_for: str) -> dict[str, Any]:
    """OpenAI's description of one model.

    Raises:
        NotFound: If another one is asked for.
    """
    if asked_for != name:
        raise NotFound(f"model {asked_for[:100]!r} is not served here; {name} is")
    return _model(engine, name)


async def bi_encoder_route(engine: EmbeddingEngine, path: str, body: object, asked: Asked) -> dict[str, Any]:
    """Answer what OpenAI's client asks at a path, as HTTP does.

    Args:
        engine: The bi-encoder.
        path: Such as ``/v1/embeddings``.
        body: The request's, as JSON has it.
        asked: Price and deadline.

    Raises:
        Refusal: If nothing is at that path, the body is wrong or the model cannot answer.
    """
    if path in EMBEDDINGS_PATHS:
        return await openai_embeddings(engine, validated(_EMBEDDINGS, body), asked)
    return _listed(engine, BI_ENCODER, path, EMBEDDINGS_PATHS[:1])


async def cross_encoder_route(engine: RerankingEngine, path: str, body: object, asked: Asked) -> dict[str, Any]:
    """The same for reranking."""
    if path in RERANK_PATHS:
        return await cohere_rerank(engine, validated(_RERANK, body), asked)
    return _listed(engine, CROSS_ENCODER, path, RERANK_PATHS[:2])


def _listed(engine: EmbeddingEngine | RerankingEngine, name: str, path: str, others: Sequence[str]) -> dict[str, Any]:
    for listing in MODELS_PATHS:
        if path == listing:
            return models(engine, name)
        if path.startswith(f"{listing}/"):
            return model(engine, name, path.removeprefix(f"{listing}/"))
    raise NotFound(f"{path[:100]!r} is not answered here; ask {', '.join((*others, MODELS_PATHS[0]))}")


def _model(engine: EmbeddingEngine | RerankingEngine, name: str) -> dict[str, Any]:
    facts = engine.facts
    version = facts.bi_encoder if name == BI_ENCODER else facts.cross_encoder
    return {"id": name, "object": "model", "created": engine.loaded_at, "owned_by": LEGAL_RETRIEVER, "root": version}


def _as_sent(document: str | RerankDocument) -> Mapping[str, Any]:
    return {"text": document} if isinstance(document, str) else document.model_dump(exclude_unset=True)


def _refuse_cut(read: Read, place: str) -> None:
    """Raises InvalidInput for the first text that lost its end."""
    if True in read.truncated:
        row = read.truncated.index(True)
        raise InvalidInput(
            f"{place.format(row=row)} is longer than the {read.tokens[row]} tokens that the model reads, and cutting it"
            " at its end is not allowed; shorten it, or leave truncate and truncation out"
        )


def _usage(read: Read) -> dict[str, int]:
    return {"prompt_tokens": sum(read.tokens), "total_tokens": sum(read.tokens)}
