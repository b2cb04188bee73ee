"""The cross-encoder service: scores of questions and documents over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, Depends, FastAPI, Request, Response

from deployment.api import handlers
from deployment.api.app import asked_of, called, create_app, standing_of
from deployment.api.compatible.handlers import cohere_rerank
from deployment.api.compatible.requests import RerankIn
from deployment.api.compatible.routes import models_router
from deployment.api.handlers import CROSS_ENCODER, CROSS_ENCODER_ACTIONS, Asked
from deployment.api.requests import LAW, OTHER_LAW, QUESTION, CrossEncoderPayload, texts_of
from deployment.api.responses import ERRORS, BatchScoreOut, RerankOut, ScorePairOut, V1RerankOut
from deployment.api.strict_json import JsonAnswer, StrictRoute
from deployment.engine.loading import reranking_engine
from deployment.engine.reranking import RerankingEngine
from deployment.service_metrics import endpoint_metrics
from deployment.settings import ServingSettings
from retrieval import names
from retrieval.errors import ConfigError

NAME = names.CROSS_ENCODER
_DESCRIPTION = "How well pieces of law answer a Vietnamese question."
_INFER_EXAMPLES = {
    "rerank": {
        "value": {
            "action": "rerank",
            "query": QUESTION,
            "documents": [
                {"id": "a", "text": OTHER_LAW},
                {"id": "b", "text": LAW, "metadata": {"law": "45/2019/QH14"}},
            ],
            "top_n": 1,
        }
    },
    "score_pair": {"value": {"action": "score_pair", "query": QUESTION, "document": LAW}},
    "batch_score": {"value": {"action": "batch_score", "pairs": [{"query": QUESTION, "document": LAW}]}},
}
_RERANK_EXAMPLES = {
    "texts": {"value": {"query": QUESTION, "documents": [OTHER_LAW, LAW], "model": NAME, "top_n": 1}},
    "objects": {"value": {"query": QUESTION, "documents": [{"text": LAW}], "return_documents": True}},
}


def router() -> APIRouter:
    """The service's own endpoints."""
    own = APIRouter(route_class=StrictRoute, responses=ERRORS, default_response_class=JsonAnswer, tags=["model"])

    @own.post(
        "/infer",
        response_model=RerankOut | ScorePairOut | BatchScoreOut,
        summary="Rerank documents, or score one pair or several",
    )
    async def infer(
        request: Request,
        payload: Annotated[CrossEncoderPayload, Body(discriminator="action", openapi_examples=_INFER_EXAMPLES)],
        asked: Annotated[Asked, Depends(asked_of)],
    ) -> Response:
        called(request, payload.action, *texts_of(payload))
        engine: RerankingEngine = standing_of(request).serving()
        return JsonAnswer(await handlers.answer_cross_encoder(engine, payload, asked))

    @own.post("/rerank", include_in_schema=False)
    @own.post("/v2/rerank", response_model=V1RerankOut, summary="Reranking in the shape of Cohere's second version")
    @own.post("/v1/rerank", response_model=V1RerankOut, summary="Reranking in Cohere's and Jina's shape")
    async def rerank(
        request: Request,
        payload: Annotated[RerankIn, Body(openapi_examples=_RERANK_EXAMPLES)],
        asked: Annotated[Asked, Depends(asked_of)],
    ) -> Response:
        called(request, "v2_rerank" if request.url.path.startswith("/v2/") else "v1_rerank", payload.query)
        engine: RerankingEngine = standing_of(request).serving()
        return JsonAnswer(await cohere_rerank(engine, payload, asked))

    return own


def make_app(settings: ServingSettings, on_fault: Callable[[], None] = lambda: None) -> FastAPI:
    """The service.

    Raises:
        ConfigError: If no bundle is named.
    """
    if not settings.bundle:
        raise ConfigError("RETRIEVER_BUNDLE: not set; name a bundle folder, made by python -m deployment.bundle")
    metrics = endpoint_metrics(NAME, CROSS_ENCODER_ACTIONS, settings)
    routers = [router(), models_router(CROSS_ENCODER)]
    return create_app(
        NAME, _DESCRIPTION, settings, metrics, lambda: reranking_engine(settings, metrics), routers, on_fault
    )
