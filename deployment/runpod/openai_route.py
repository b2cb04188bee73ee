"""Jobs of RunPod's OpenAI address: ``{"openai_route": "/v1/embeddings", "openai_input": {...}}``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from deployment.api.field_types import json_type
from deployment.api.handlers import Asked
from deployment.errors import InvalidInput

Engine = TypeVar("Engine")
Answer = dict[str, Any]
_KEY, _INPUT = "openai_route", "openai_input"


def is_routed(payload: Mapping[str, Any]) -> bool:
    """Whether a job came by the OpenAI address, whose clients expect their own shape and nothing around it."""
    return payload.get(_KEY) is not None


def with_routes(
    act: Callable[[Engine, Mapping[str, Any], Asked], Awaitable[Answer]],
    route: Callable[[Engine, str, object, Asked], Awaitable[Answer]],
) -> Callable[[Engine, Mapping[str, Any], Asked], Awaitable[Answer]]:
    """What answers both kinds of job.

    Args:
        act: Answers a payload with an action.
        route: Answers an OpenAI request: its path and its body.
    """

    async def either(engine: Engine, payload: Mapping[str, Any], asked: Asked) -> Answer:
        if not is_routed(payload):
            # its error names the actions there are
            own = {"action": None} | {
                name: value for name, value in payload.items() if value is not None or name not in {_KEY, _INPUT}
            }
            return await act(engine, own, asked)
        path = payload[_KEY]
        if not isinstance(path, str):
            raise InvalidInput(f"{_KEY} is {json_type(path)}; send a path such as /v1/models")
        given = payload.get(_INPUT)
        given = {} if given is None else given
        if not isinstance(given, Mapping):
            raise InvalidInput(f"{_INPUT} is {json_type(given)}; send the request's body, an object")
        return await route(engine, _path(path), given, asked)

    return either


def _path(route: str) -> str:
    """With one slash before it and none behind, without a query and RunPod's own ``/openai``."""
    return "/" + route.partition("?")[0].strip("/").removeprefix("openai/")
