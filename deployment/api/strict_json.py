"""JSON in and out: bodies read strictly (no NaN, no lone surrogates, bounded depth), answers written fast."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic_core import from_json, to_json

from deployment.errors import Malformed

_LONGEST = 60  # characters of a header in an error


def read_json(body: bytes) -> Any:  # noqa: ANN401 - whatever the client sent
    """A parsed body.

    Raises:
        Malformed: If it is not JSON in UTF-8 as RFC 8259 has it, or nested deeper than 200.
    """
    try:
        return from_json(body.removeprefix(BOM_UTF8), allow_inf_nan=False)
    except ValueError as error:
        raise Malformed(f"the body is not JSON in UTF-8: {error}; send one JSON object") from error


def _refuse_encoded(request: Request) -> None:
    """Raises Malformed for a body that its headers do not call plain JSON.

    Forms and plain text are what a web page may send to any address unasked, so they are not read even if they hold
    JSON.
    """
    if request.headers.get("content-encoding", "identity").strip().lower() not in {"identity", ""}:
        encoding = request.headers["content-encoding"]
        raise Malformed(f"the body's Content-Encoding is {encoding[:_LONGEST]}; send it as it is, not compressed")
    given = request.headers.get("content-type", "")
    kind, _, form = given.partition(";")[0].strip().lower().partition("/")
    if not (kind == "application" and (form == "json" or form.endswith("+json"))):
        named = f"Content-Type is {given[:_LONGEST]}" if given else "Content-Type is missing"
        raise Malformed(f"the body's {named}; send JSON with Content-Type: application/json")


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
    """A route whose body is JSON, read by `read_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a strict request."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            read = _StrictRequest(request.scope, request.receive)
            if await read.body():  # which it keeps: it can be received only once
                _refuse_encoded(read)
            return await handle(read)

        return strict
