"""From a payload to an answer, the same for HTTP and for jobs: validated on the way in, plain values on the way out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from deployment.api.requests import (
    BatchEmbed,
    BatchScore,
    BiEncoderPayload,
    CrossEncoderPayload,
    DocumentIn,
    Embed,
    Rerank,
    ScorePair,
    Search,
)
from deployment.api.validation_errors import validated
from monitoring.cost import Price
from retrieval.models.pair import Document
from retrieval.names import LEGAL_BI_ENCODER, LEGAL_CROSS_ENCODER
from retrieval.search.results import Answer

if TYPE_CHECKING:  # what belongs to a request is known without torch
    from deployment.engine.embedding import Embedded, EmbeddingEngine
    from deployment.engine.model_queue import Read, Timings
    from deployment.engine.reranking import RerankingEngine, Scored

BI_ENCODER, CROSS_ENCODER = LEGAL_BI_ENCODER, LEGAL_CROSS_ENCODER
BI_ENCODER_ACTIONS = ("embed", "batch_embed", "search", "v1_embeddings", "models")
CROSS_ENCODER_ACTIONS = ("rerank", "score_pair", "batch_score", "v1_rerank", "v2_rerank", "models")
_BI_ENCODER: TypeAdapter[Embed | BatchEmbed | Search] = TypeAdapter(BiEncoderPayload)
_CROSS_ENCODER: TypeAdapter[Rerank | ScorePair | BatchScore] = TypeAdapter(CrossEncoderPayload)


@dataclass(frozen=True)
class Asked:
    """What belongs to a request besides its payload.

    Attributes:
        price: Of the machine.
        deadline_seconds: Longest wait for the model; None waits as long as it takes.
    """

    price: Price
    deadline_seconds: float | None = None


async def bi_encoder_action(engine: EmbeddingEngine, payload: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """Answer ``embed``, ``batch_embed`` or ``search``.

    Args:
        engine: The bi-encoder.
        payload: With ``action``.
        asked: Price and deadline.

    Returns:
        Plain values that JSON can say.

    Raises:
        Refusal: If the payload is wrong or the model cannot answer.
    """
    return await answer_bi_encoder(engine, validated(_BI_ENCODER, payload), asked)


async def cross_encoder_action(engine: RerankingEngine, payload: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """Answer ``rerank``, ``score_pair`` or ``batch_score``; see `bi_encoder_action`."""
    return await answer_cross_encoder(engine, validated(_CROSS_ENCODER, payload), asked)


async def answer_bi_encoder(
    engine: EmbeddingEngine, payload: Embed | BatchEmbed | Search, asked: Asked
) -> dict[str, Any]:
    """The same for a payload that is valid already."""
    started = time.monotonic()
    if isinstance(payload, Search):
        found = await engine.search(payload.question, payload.top_k, asked.deadline_seconds)
        results = [_article(rank, answer) for rank, answer in enumerate(found.answers, start=1)]
        served = _served(BI_ENCODER, engine.facts.bi_encoder, engine, found.read, found.timings, asked, started)
        return {"results": results, "count": len(results), "encode_time_ms": _ms(found.timings.infer), **served}
    texts = [payload.text] if isinstance(payload, Embed) else payload.texts
    embedded = await engine.embed(texts, payload.input_type, asked.deadline_seconds)
    vectors = embedded.vectors.tolist()
    return {
        **({"embedding": vectors[0]} if isinstance(payload, Embed) else {"embeddings": vectors}),
        "dimension": engine.dimension,
        "count": len(vectors),
        "encode_time_ms": _ms(embedded.timings.infer),
        **embedded_facts(engine, embedded, asked, started),
    }


async def answer_cross_encoder(
    engine: RerankingEngine, payload: Rerank | ScorePair | BatchScore, asked: Asked
) -> dict[str, Any]:
    """The same for a payload that is valid already."""
    started = time.monotonic()
    if isinstance(payload, Rerank):
        documents = [_document(document) for document in payload.documents]
        scored = await engine.score(payload.query, documents, asked.deadline_seconds)
        results = [
            {
                "index": row,
                "id": payload.documents[row].id,
                "text": payload.documents[row].text,
                "metadata": payload.documents[row].metadata,
                "score": float(scored.scores[row]),
                "rank": rank,
            }
            for rank, row in enumerate(best(scored, payload.top_n), start=1)
        ]
        return {"results": results, "count": len(results), **scored_facts(engine, scored, asked, started)}
    pairs = payload.pairs if isinstance(payload, BatchScore) else [payload]
    scored = await engine.score_pairs([(pair.query, pair.document) for pair in pairs], asked.deadline_seconds)
    served = scored_facts(engine, scored, asked, started)
    scores, logits = scored.scores.tolist(), scored.logits.tolist()
    if isinstance(payload, ScorePair):
        return {"score": scores[0], "logit": logits[0], **served}
    return {"scores": scores, "logits": logits, "count": len(scores), **served}


def _document(document: DocumentIn) -> Document:
    return (document.title, document.text) if document.title else document.text


def best(scored: Scored, top_n: int | None) -> list[int]:
    """Rows by score, best first; equal scores keep their order."""
    order: list[int] = (-scored.logits).argsort(kind="stable").tolist()
    return order[:top_n]


def _article(rank: int, answer: Answer) -> dict[str, Any]:
    article = answer.article
    return {
        "rank": rank,
        "cid": article.cid,
        "score": answer.score,
        "title": article.title,
        "law": article.law,
        "path": list(article.path),
        "snippet": answer.snippet,
        "components": asdict(answer.first_stage),
    }


def embedded_facts(engine: EmbeddingEngine, embedded: Embedded, asked: Asked, started: float) -> dict[str, Any]:
    """What every answer about vectors carries."""
    return _served(BI_ENCODER, engine.facts.bi_encoder, engine, embedded.read, embedded.timings, asked, started)


def scored_facts(engine: RerankingEngine, scored: Scored, asked: Asked, started: float) -> dict[str, Any]:
    """What every answer about scores carries."""
    return _served(CROSS_ENCODER, engine.facts.cross_encoder, engine, scored.read, scored.timings, asked, started)


def _served(
    model: str,
    version: str,
    engine: EmbeddingEngine | RerankingEngine,
    read: Read,
    timings: Timings,
    asked: Asked,
    started: float,
) -> dict[str, Any]:
    """What every answer carries."""
    price, usd = asked.price, asked.price.usd(timings.worker)
    engine.metrics.spent(timings.worker, usd)
    return {
        "model": model,
        "model_version": version,
        "index_version": engine.facts.index,
        "timings_ms": {
            "queue": _ms(timings.queue),
            "tokenise": _ms(timings.tokenise),
            "infer": _ms(timings.infer),
            "total": _ms(time.monotonic() - started),
        },
        "tokens": sum(read.tokens),
        "truncated": list(read.truncated),
        "truncated_count": sum(read.truncated),
        "cost": {
            "worker_seconds": timings.worker,
            "usd": usd,
            "machine": price.machine,
            "priced_on": price.priced_on,
        },
    }


def _ms(seconds: float) -> float:
    return round(1000.0 * seconds, 3)
