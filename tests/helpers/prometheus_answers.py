"""A Prometheus of a test's own making, for answers that a real one gives seldom; it notes what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import httpx

from monitoring.page.prometheus import Server

Answer = Callable[[str, Mapping[str, str]], httpx.Response]
"""Makes an answer of a path and what came with it."""


@dataclass
class Answers:
    """Answers, and what was asked.

    Attributes:
        answer: For everything.
        asked: Path and parameters, in order.
    """

    answer: Answer
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def server(self, name: str = "Prometheus") -> Server:
        """As the page sees it."""
        return Server(name, "http://there:9090", httpx.MockTransport(self._handle))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        parts = urlsplit(str(request.url))
        given = dict(parse_qsl(parts.query)) | dict(parse_qsl(request.content.decode()))
        self.asked.append((parts.path, given))
        return self.answer(parts.path, given)


def result(*series: dict[str, object]) -> httpx.Response:
    """Series as an answer."""
    return httpx.Response(200, json={"status": "success", "data": {"result": list(series)}})


def rules(*alerts: dict[str, object], count: int = 1) -> httpx.Response:
    """Alerting rules as an answer, the first with these alerts."""
    found = [{"name": f"rule{number}", "alerts": list(alerts) if number == 0 else []} for number in range(count)]
    return httpx.Response(200, json={"status": "success", "data": {"groups": [{"rules": found}]}})
