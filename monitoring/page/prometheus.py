"""What the page asks Prometheus and Alertmanager; every failure is one kind of error with a sentence for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from monitoring.page.window import STEPS, Window
from retrieval.errors import ServerError

_PATIENCE_SECONDS = 10.0
_CONNECT_SECONDS = 2.0
_AT_ONCE = 8
_LONGEST_REASON = 300


class QueryError(ServerError):
    """A question that got no answer.

    Attributes:
        away: Whether the server does not answer at all, so that asking it more is in vain.
    """

    def __init__(self, message: str, away: bool = False) -> None:
        super().__init__(message)
        self.away = away


@dataclass(frozen=True)
class Series:
    """Values under the same labels.

    Attributes:
        labels: Without the metric's name, unless a function kept it.
        values: One for each step of the window, None where there is none; a single one as of now.
    """

    labels: Mapping[str, str]
    values: tuple[float | None, ...]


class Server:
    """Prometheus, or Alertmanager; reads only."""

    def __init__(self, name: str, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Set up.

        Args:
            name: For people.
            url: Its address.
            transport: Of httpx, for tests; default the network, past all proxies.
        """
        self.name, self.url = name, url.rstrip("/")
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(_PATIENCE_SECONDS, connect=_CONNECT_SECONDS, pool=None),
            limits=httpx.Limits(max_connections=_AT_ONCE),
            trust_env=False,
            transport=transport,
        )

    async def close(self) -> None:
        """Let its connections go."""
        await self._client.aclose()

    async def read(self, path: str, asked: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        """The answer, as JSON.

        Args:
            path: Of its API.
            asked: Sent as a form; None asks by GET.

        Raises:
            QueryError: If there is none.
        """
        try:
            if asked is None:
                answer = await self._client.get(f"{self.url}{path}")
            else:
                answer = await self._client.post(f"{self.url}{path}", data=dict(asked))
        except httpx.TimeoutException as error:
            said = f"{self.name} at {self.url} did not answer in time"
            raise QueryError(said, isinstance(error, httpx.ConnectTimeout)) from error
        except httpx.HTTPError as error:
            raise QueryError(f"{self.name} at {self.url} does not answer ({error})", away=True) from error
        try:
            body = answer.json()
        except ValueError as error:
            said = f"{self.name} at {self.url} answered {answer.status_code} without JSON; is it {self.name}?"
            raise QueryError(said, away=True) from error
        if answer.status_code != httpx.codes.OK:
            reason = body.get("error", "") if isinstance(body, dict) else ""
            raise QueryError(f"{self.name} answered {answer.status_code}: {str(reason)[:_LONGEST_REASON]}")
        return body


async def over(server: Server, expression: str, window: Window) -> list[Series]:
    """An expression's values at all steps of a window.

    Raises:
        QueryError: If Prometheus does not answer, or refuses.
    """
    asked = {"query": expression, "start": f"{window.start}", "end": f"{window.end}", "step": f"{window.step}"}
    found = _results(await server.read("/api/v1/query_range", asked))
    return [Series(one["metric"], _on_grid(one["values"], window)) for one in found]


async def as_of_now(server: Server, expression: str, window: Window) -> list[Series]:
    """An expression's values now; errors as of `over`."""
    found = _results(await server.read("/api/v1/query", {"query": expression, "time": f"{window.now}"}))
    return [Series(one["metric"], (_number(one["value"][1]),)) for one in found]


def _results(body: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
    try:
        found = body["data"]["result"]
    except (KeyError, TypeError) as error:
        raise QueryError("Prometheus answered something else than series; is it Prometheus?", away=True) from error
    return list(found)


def _on_grid(values: list[tuple[float, str]], window: Window) -> tuple[float | None, ...]:
    grid: list[float | None] = [None] * (STEPS + 1)
    for moment, text in values:
        place = round((moment - window.start) / window.step)
        if 0 <= place <= STEPS:
            grid[place] = _number(text)
    return tuple(grid)


def _number(text: str) -> float | None:
    """A value that can be drawn; 0/0 and what is beyond the last bucket cannot."""
    value = float(text)
    return value if math.isfinite(value) else None
