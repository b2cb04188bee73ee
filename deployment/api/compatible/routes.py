"""OpenAI's list of models over HTTP, with which clients look whether a server is there."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from deployment.api.app import called, standing_of
from deployment.api.compatible.handlers import MODELS_PATHS, model, models
from deployment.api.responses import ERRORS, ErrorOut, ModelOut, ModelsOut
from deployment.api.strict_json import JsonAnswer

_UNKNOWN = {"model": ErrorOut, "description": "No model has this name."}
_RESPONSES: dict[int | str, dict[str, Any]] = {status: ERRORS[status] for status in (401, 422, 429, 503)}


def models_router(name: str) -> APIRouter:
    """The list of models and the description of one.

    Args:
        name: Of the model that is served.
    """
    own = APIRouter(responses=_RESPONSES, default_response_class=JsonAnswer, tags=["model"])
    versioned, short = MODELS_PATHS

    @own.get(short, include_in_schema=False)
    @own.get(versioned, response_model=ModelsOut, summary="The model that is served")
    async def listed(request: Request) -> Response:
        called(request, "models")
        return JsonAnswer(models(standing_of(request).serving(), name))

    @own.get(f"{short}/{{model_id:path}}", include_in_schema=False)
    @own.get(
        f"{versioned}/{{model_id}}",
        response_model=ModelOut,
        summary="What is known of one model",
        responses={404: _UNKNOWN},
    )
    async def described(request: Request, model_id: str) -> Response:
        called(request, "models")
        return JsonAnswer(model(standing_of(request).serving(), name, model_id))

    return own
