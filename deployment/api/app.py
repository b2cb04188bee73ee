"""The skeleton of every service: alive, ready, metrics, doors, and one shape for every error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from deployment.api.handlers import Asked
from deployment.api.middleware import OPEN_PATHS, ServiceMiddleware
from deployment.api.request_ids import REQUEST_ID_HEADER
from deployment.api.responses import ERRORS, Health, Ready
from deployment.api.standing import Load, ReportsReadiness, Standing, bring_up
from deployment.api.validation_errors import invalid
from deployment.bundle.format import BundleFacts
from deployment.errors import InvalidInput, MethodNotAllowed, NotFound, Refusal
from deployment.settings import ServingSettings
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.logs import QUESTIONS
from monitoring.traces import TRACE_KEYS

_logger, _questions = logging.getLogger(__name__), logging.getLogger(QUESTIONS)
_MACHINERY = "machinery"
_HEADERS = ("authorization", "content-type", "x-api-key", "x-deadline-seconds")
_LONGEST_PATH, _LONGEST_MESSAGE = 200, 300
_LONGEST_DEADLINE_SECONDS = 600.0


def create_app(
    name: str,
    description: str,
    settings: ServingSettings,
    metrics: EndpointMetrics,
    load: Load,
    routers: Sequence[APIRouter] = (),
    on_fault: Callable[[], None] = lambda: None,
    open_paths: frozenset[str] = frozenset(),
) -> FastAPI:
    """A service: it is alive at once, and ready when its bundle is verified and its model warm.

    Args:
        name: Of the service, such as ``bi-encoder``.
        description: For its OpenAPI document.
        settings: Its settings.
        metrics: Its metrics.
        load: Opens the bundle and gives the engine.
        routers: Its own endpoints.
        on_fault: Called when ``load`` fails, so that the process can end.
        open_paths: Addresses that need no key besides those that machinery asks.
    """
    standing = Standing(name, settings, metrics)
    _ = standing.price, settings.keys()  # mistakes in them are told of before anything is loaded

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        bringing_up = asyncio.create_task(bring_up(standing, load, on_fault))
        yield
        bringing_up.cancel()
        if standing.engine is not None:
            await standing.engine.close()

    app = FastAPI(title=name, description=description, version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.standing = standing
    app.include_router(_machinery())
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_middleware(ServiceMiddleware, settings=settings, metrics=metrics, open_paths=OPEN_PATHS | open_paths)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=[*_HEADERS, REQUEST_ID_HEADER, *TRACE_KEYS],
            expose_headers=[REQUEST_ID_HEADER],
        )
    return app


def standing_of(request: Request) -> Standing:
    """Where the service of a request stands; a dependency of its endpoints."""
    standing: Standing = request.app.state.standing
    return standing


def asked_of(
    request: Request,
    x_deadline_seconds: Annotated[
        float,
        Header(ge=0.1, le=_LONGEST_DEADLINE_SECONDS, allow_inf_nan=False, description="Longest wait for the model."),
    ] = _LONGEST_DEADLINE_SECONDS,
) -> Asked:
    """Price and deadline of a request; a dependency of endpoints."""
    standing = standing_of(request)
    return Asked(standing.price, min(standing.settings.deadline_seconds, x_deadline_seconds))


def called(request: Request, action: str, *texts: str) -> None:
    """Note what a request asks for: the action for the metrics, its texts for the log where that is asked for."""
    request.state.action = action
    if standing_of(request).settings.log_questions:
        for text in texts:
            _questions.info("%s: %r", action, text)


def _machinery() -> APIRouter:
    """What orchestrators and Prometheus ask."""
    router = APIRouter(tags=[_MACHINERY])

    @router.get("/health", summary="Is the process alive?")
    async def health() -> Health:
        return Health(status="alive")

    @router.get("/ready", summary="Would a question be answered?", responses={503: ERRORS[503]})
    async def ready(request: Request) -> Ready:
        standing = standing_of(request)
        engine = standing.serving()
        facts: BundleFacts = engine.facts
        more = await engine.readiness() if isinstance(engine, ReportsReadiness) else {}
        seconds = round(standing.cold_start_seconds, 3)
        return Ready(status="ready", cold_start_seconds=seconds, versions=asdict(facts), **more)

    @router.get("/metrics", summary="Prometheus's text format", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        standing = standing_of(request)
        body, content_type = standing.rendered_metrics(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    return router


async def _not_valid(_: Request, error: Exception) -> Response:
    raise invalid(error.errors() if isinstance(error, RequestValidationError) else ()) from error


def _answered(request: Request) -> str:
    """The addresses that a service was made for."""
    described = request.app.openapi()["paths"].items()
    return ", ".join(path for path, ways in described if all(_MACHINERY not in way["tags"] for way in ways.values()))


async def _http_error(request: Request, error: Exception) -> Response:
    """What the framework refuses, in the shape that every error has; raised again for the doors to answer."""
    if isinstance(error.__cause__, Refusal):
        raise error.__cause__
    path = request.url.path[:_LONGEST_PATH]
    status = error.status_code if isinstance(error, HTTPException) else 0
    if status == NotFound.status:
        raise NotFound(
            f"{path}: nothing is here; the {standing_of(request).name} answers {_answered(request)}"
        ) from error
    if status == MethodNotAllowed.status and isinstance(error, HTTPException):
        allowed = (error.headers or {}).get("Allow", "")
        raise MethodNotAllowed(f"{path}: takes {allowed}, not {request.method[:20]}", allowed) from error
    raise InvalidInput(f"{path}: {getattr(error, 'detail', error)}"[:_LONGEST_MESSAGE]) from error
