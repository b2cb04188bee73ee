"""JSON in and out: bodies read strictly (no NaN, no lone surrogates, bounded depth), answers written fast."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic_core import from_json, to_json

from deployment.refusals import Malformed


def read_json(body: bytes) -> Any:  # noqa: ANN401 - whatever the client sent
    """A parsed body.

    Raises:
        Malformed: If it is not JSON as RFC 8259 has it, or nested deeper than 200.
    """
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Malformed(f"the body is not JSON: {error}; send one JSON object") from error


def write_json(values: Any) -> bytes:  # noqa: ANN401 - anything JSON can say
    """JSON of plain values; a number that is not finite becomes null."""
    return to_json(values, inf_nan_mode="null")


class JsonAnswer(JSONResponse):
    """An answer whose values are plain already, so that nothing is validated twice."""

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - anything JSON can say
        """Bytes of the answer."""
        return write_json(content)


class _StrictRequest(Request):
    async def json(self) -> Any:  # noqa: ANN401 - whatever the client sent
        return read_json(await self.body())


class StrictRoute(APIRoute):
    """A route whose body is read by `read_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a strict request."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict
