"""What the gateway asks a service to know whether a question to it would be answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from deployment.engine.states_report import PassageStatesOut
from deployment.errors import UpstreamFault
from deployment.gateway.watch import Look
from retrieval.data.cleaning import CleanLine

PROBE = CleanLine("Người lao động được nghỉ hằng năm bao nhiêu ngày?")
"""Asked of a service when it comes up; none that a client asked."""
_LOOK_SECONDS = 3.0
KEY_ADVICE = "set RETRIEVER_SERVICE_KEY to one of its RETRIEVER_API_KEYS"
KEY_REFUSED = frozenset({401, 403})


class _Versions(BaseModel):
    model_config = ConfigDict(extra="ignore")

    index: str = ""


class _ReadyAt(BaseModel):
    model_config = ConfigDict(extra="ignore")

    versions: _Versions
    passage_states: PassageStatesOut | None = None


def look_at(client: httpx.AsyncClient, answers: Callable[[], Awaitable[object]], index: str = "") -> Look:
    """A look at a service's ``/ready``, which is cheap, and at a real answer whenever the service comes up anew.

    The real answer tells what ``/ready`` does not: whether the service takes this gateway's key, for example.

    Args:
        client: Of the service.
        answers: Has it answer something; raises why it does not.
        index: Version of the index that it must serve; empty where it needs none.
    """
    up = False

    async def look() -> Mapping[str, Any]:
        nonlocal up
        came_up, up = not up, False
        response = await client.get("/ready", timeout=_LOOK_SECONDS)
        if response.status_code in KEY_REFUSED:
            raise UpstreamFault(f"answered {response.status_code}; {KEY_ADVICE}")
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise UpstreamFault("answered 503: it loads its bundle, or stops")
        if response.status_code != httpx.codes.OK:
            raise UpstreamFault(f"answered {response.status_code}")
        try:
            found = _ReadyAt.model_validate_json(response.content)
        except ValidationError as error:
            raise UpstreamFault("answers in an unknown shape; see what listens there") from error
        if index and found.versions.index != index:
            raise other_index(found.versions.index, index)
        if came_up:
            await answers()
        up = True
        return {"passage_states": found.passage_states}

    return look


def other_index(found: str, shown: str) -> UpstreamFault:
    """The error of a bi-encoder service and a gateway on different bundles."""
    searched = f"index {found}" if found else "no index"
    return UpstreamFault(
        f"the bi-encoder service searches {searched}, the gateway shows {shown}; start both on the same bundle"
    )
