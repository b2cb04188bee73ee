"""The bi-encoder service: embeddings and the first stage over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, FastAPI, Request, Response

from deployment.api import handlers
from deployment.api.app import asked_of, called, create_app, standing_of
from deployment.api.compatible.handlers import openai_embeddings
from deployment.api.compatible.requests import EmbeddingsIn
from deployment.api.compatible.routes import models_router
from deployment.api.handlers import BI_ENCODER, BI_ENCODER_ACTIONS, Asked
from deployment.api.requests import LAW, QUESTION, BiEncoderPayload, texts_of
from deployment.api.responses import ERRORS, BatchEmbedOut, EmbeddingsOut, EmbedOut, SearchOut
from deployment.api.strict_json import JsonAnswer, StrictRoute
from deployment.engine.embedding import EmbeddingEngine
from deployment.engine.loading import embedding_engine
from deployment.service_metrics import endpoint_metrics
from deployment.settings import ServingSettings
from retrieval import names
from retrieval.errors import ConfigError

NAME = names.BI_ENCODER
_DESCRIPTION = "Vietnamese questions and law as vectors, and the first stage's search."
_INFER_EXAMPLES = {
    "embed": {"value": {"action": "embed", "text": QUESTION}},
    "batch_embed": {"value": {"action": "batch_embed", "texts": [LAW], "input_type": "passage"}},
    "search": {"value": {"action": "search", "question": QUESTION, "top_k": 3}},
}
_OPENAI_EXAMPLES = {
    "floats": {"value": {"input": [QUESTION], "model": NAME}},
    "base64": {"value": {"input": QUESTION, "model": NAME, "encoding_format": "base64"}},
}


def router() -> APIRouter:
    """The service's own endpoints."""
    own = APIRouter(route_class=StrictRoute, responses=ERRORS, default_response_class=JsonAnswer, tags=["model"])

    @own.post(
        "/infer",
        response_model=EmbedOut | BatchEmbedOut | SearchOut,
        summary="Embed one text or several, or search",
    )
    async def infer(
        request: Request,
        payload: Annotated[BiEncoderPayload, Body(discriminator="action", openapi_examples=_INFER_EXAMPLES)],
        asked: Annotated[Asked, Depends(asked_of)],
    ) -> Response:
        called(request, payload.action, *texts_of(payload))
        engine: EmbeddingEngine = standing_of(request).serving()
        return JsonAnswer(await handlers.answer_bi_encoder(engine, payload, asked))

    @own.post("/embeddings", include_in_schema=False)
    @own.post("/v1/embeddings", response_model=EmbeddingsOut, summary="Embeddings in OpenAI's shape")
    async def embeddings(
        request: Request,
        payload: Annotated[EmbeddingsIn, Body(openapi_examples=_OPENAI_EXAMPLES)],
        asked: Annotated[Asked, Depends(asked_of)],
    ) -> Response:
        called(request, "v1_embeddings", *payload.texts)
        engine: EmbeddingEngine = standing_of(request).serving()
        return JsonAnswer(await openai_embeddings(engine, payload, asked))

    return own


def make_app(settings: ServingSettings, on_fault: Callable[[], None] = lambda: None) -> FastAPI:
    """The service.

    Raises:
        ConfigError: If no bundle is named.
    """
    if not settings.bundle:
        raise ConfigError("RETRIEVER_BUNDLE: not set; name a bundle folder, made by python -m deployment.bundle")
    metrics = endpoint_metrics(NAME, BI_ENCODER_ACTIONS, settings)
    routers = [router(), models_router(BI_ENCODER)]
    app = create_app(
        NAME, _DESCRIPTION, settings, metrics, lambda: embedding_engine(settings, metrics), routers, on_fault
    )
    return _with_dimension(app)


def _with_dimension(app: FastAPI) -> FastAPI:
    """Has the OpenAPI document tell the one size of vectors there is, once it is known."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document, engine = described(), app.state.standing.engine
        if engine is not None:
            size = document["components"]["schemas"]["EmbeddingsIn"]["properties"]["dimensions"]["anyOf"][0]
            size["const"] = engine.dimension
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the document
    return app
