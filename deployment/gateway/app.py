"""The gateway's endpoints and how its parts are put together, over two services or in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Body, FastAPI, Query, Request, Response

from deployment.api.app import called, create_app, standing_of
from deployment.api.requests import QUESTION
from deployment.api.responses import ERRORS, ErrorOut
from deployment.api.strict_json import JsonAnswer, StrictRoute
from deployment.bundle.fetch import local_folder
from deployment.bundle.format import Bundle, open_bundle
from deployment.gateway.article_view import ArticleView
from deployment.gateway.circuit_breaker import CircuitBreakerReranker
from deployment.gateway.page import page_router
from deployment.gateway.payloads import MAX_QUESTION_CHARACTERS, ArticleOut, LawsOut, SearchIn, SearchOut
from deployment.gateway.remote import RemoteFirstStage, RemoteReranker, transport_to
from deployment.gateway.search import SearchEngine
from deployment.gateway.stages import FirstStage, Reranker
from deployment.gateway.worker_measures import WorkerMeasures
from deployment.service_metrics import build_of, endpoint_metrics
from deployment.settings import ServingSettings
from monitoring.endpoint_metrics import EndpointMetrics
from retrieval.data.cleaning import clean_line
from retrieval.errors import ConfigError
from retrieval.names import BI_ENCODER, CROSS_ENCODER

NAME = "gateway"
ACTIONS = ("search", "article", "laws")
_DESCRIPTION = "A question in Vietnamese to the law articles that answer it, best first. The search page is at /."
_EXAMPLES = {"question": {"value": {"question": QUESTION, "top_k": 10, "rerank": True}}}
_UPSTREAM = {"model": ErrorOut, "description": "The bi-encoder service does not answer, or answers badly."}
_UNKNOWN = {"model": ErrorOut, "description": "No article has this cid."}


def load_engine(settings: ServingSettings, metrics: EndpointMetrics, in_process: bool) -> SearchEngine:
    """Verify the bundle and join the stages.

    Args:
        settings: Of the gateway.
        metrics: Of the gateway.
        in_process: Load both models here; otherwise the services that the settings name are asked.
    """
    bundle = open_bundle(local_folder(settings.bundle, settings.cache))
    metrics.serves(build_of(bundle.facts.retriever, bundle.facts, bundle))
    if in_process:
        from deployment.gateway.in_process import own_stages  # with torch, which a gateway of services does without

        return _joined(*own_stages(bundle, settings, metrics), bundle, settings, metrics)
    library = ArticleView(bundle.corpus())
    first, reranker = _remote_stages(bundle, library, settings, metrics)
    return _joined(first, reranker if bundle.has_cross_encoder else None, library, bundle, settings, metrics)


def _remote_stages(
    bundle: Bundle, library: ArticleView, settings: ServingSettings, metrics: EndpointMetrics
) -> tuple[RemoteFirstStage, RemoteReranker]:
    """Both stages where the settings say that they are."""
    facts, key, families = bundle.facts, settings.service_key, metrics.families
    first_told = partial(WorkerMeasures, BI_ENCODER, families, facts.bi_encoder, settings.track, facts.index)
    url, transport = transport_to(settings.bi_encoder_url, first_told, facts.index)
    first = RemoteFirstStage(url, key, library.corpus, facts.index, settings.deadline_seconds, transport)
    second_told = partial(WorkerMeasures, CROSS_ENCODER, families, facts.cross_encoder, settings.track)
    url, transport = transport_to(settings.cross_encoder_url, second_told)
    return first, RemoteReranker(url, key, settings.rerank_budget_seconds, transport)


def _joined(
    first: FirstStage,
    reranker: Reranker | None,
    library: ArticleView,
    bundle: Bundle,
    settings: ServingSettings,
    metrics: EndpointMetrics,
) -> SearchEngine:
    patient = None if reranker is None else CircuitBreakerReranker(reranker, settings.rerank_budget_seconds)
    own = bundle.settings()
    joined = replace(own, rerank_depth=settings.rerank_depth or own.rerank_depth)
    return SearchEngine(first, patient, library, joined, bundle.facts, metrics)


def router() -> APIRouter:
    """Search, articles and laws."""
    own = APIRouter(
        route_class=StrictRoute,
        responses={**ERRORS, 502: _UPSTREAM},
        default_response_class=JsonAnswer,
        tags=["search"],
    )

    @own.post("/search", response_model=SearchOut, summary="The law articles that answer a question, best first")
    async def search(
        request: Request,
        payload: Annotated[SearchIn, Body(openapi_examples=_EXAMPLES)],
    ) -> Response:
        called(request, "search", payload.question)
        engine: SearchEngine = standing_of(request).serving()
        found = await engine.search(payload.question, payload.top_k, payload.rerank)
        return JsonAnswer(found.model_dump(mode="json"))

    @own.get("/articles/{cid:path}", response_model=ArticleOut, summary="A whole article", responses={404: _UNKNOWN})
    async def article(
        request: Request,
        cid: str,
        question: Annotated[str, Query(max_length=MAX_QUESTION_CHARACTERS, description="Its words are marked.")] = "",
    ) -> Response:
        called(request, "article")
        engine: SearchEngine = standing_of(request).serving()
        return JsonAnswer(engine.library.page(cid, clean_line(question)).model_dump(mode="json"))

    @own.get("/laws", response_model=LawsOut, summary="What is searched")
    async def laws(request: Request) -> Response:
        called(request, "laws")
        engine: SearchEngine = standing_of(request).serving()
        return JsonAnswer(engine.library.laws().model_dump(mode="json"))

    return own


def make_app(
    settings: ServingSettings, on_fault: Callable[[], None] = lambda: None, in_process: bool = False
) -> FastAPI:
    """The gateway.

    Raises:
        ConfigError: If no bundle is named, or a service is not.
    """
    if not settings.bundle:
        raise ConfigError("RETRIEVER_BUNDLE: not set; name a bundle folder, made by python -m deployment.bundle")
    if not in_process and not (settings.bi_encoder_url and settings.cross_encoder_url):
        raise ConfigError(
            "RETRIEVER_BI_ENCODER_URL and RETRIEVER_CROSS_ENCODER_URL: not both set;"
            " name the two services, or run with --in-process"
        )
    metrics = endpoint_metrics(NAME, ACTIONS, settings)
    page, open_paths = page_router()
    return create_app(
        NAME,
        _DESCRIPTION,
        settings,
        metrics,
        lambda: load_engine(settings, metrics, in_process),
        [page, router()],
        on_fault,
        open_paths,
    )
