"""The page's endpoints; Prometheus is asked when somebody looks, and nothing is kept."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from monitoring.dashboards.definition import all_dashboards, panel_ids
from monitoring.dashboards.panels import Dashboard
from monitoring.page.alerts import alerts_now
from monitoring.page.choices import Choices
from monitoring.page.layout import Shown, dashboard_page, message_page, whole
from monitoring.page.markup import tag
from monitoring.page.panel_data import data_of, nothing
from monitoring.page.prometheus import QueryError, Server
from monitoring.page.runbooks import read_runbooks, runbooks_html
from monitoring.page.window import Window
from retrieval.errors import ConfigError, RetrievalError

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_MOST_VALUES = 50


@dataclass(frozen=True)
class Sources:
    """Where everything comes from.

    Attributes:
        prometheus: Metrics and alerts.
        alertmanager: Silences; None is not asked.
        runbooks: Markdown.
    """

    prometheus: Server
    alertmanager: Server | None
    runbooks: Path


def make_app(
    sources: Sources, hosts: Sequence[str] = ("127.0.0.1", "localhost"), clock: Callable[[], float] = time.time
) -> FastAPI:
    """The page.

    Args:
        sources: Of what it shows.
        hosts: Names under which it may be asked, so that no page of somewhere else reads it through a name of its own.
        clock: Unix seconds.

    Raises:
        ConfigError: If ``slo.yaml``, whose numbers the panels draw, is wrong.
    """
    dashboards = all_dashboards()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for server in (sources.prometheus, sources.alertmanager):
            if server is not None:
                await server.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.add_exception_handler(HTTPException, _not_found(dashboards))
    _add_files(app)
    _add_pages(app, sources, dashboards, clock)
    return app


def _add_pages(app: FastAPI, sources: Sources, dashboards: Sequence[Dashboard], clock: Callable[[], float]) -> None:
    def message(title: str, error: RetrievalError, status: int) -> Response:
        return HTMLResponse(message_page(title, f"{error}.", dashboards), status, headers=_HEADERS)

    async def first(request: Request) -> Response:
        chosen = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/{dashboards[0].id}{chosen}", headers=_HEADERS)

    async def health() -> Response:
        return JSONResponse({"status": "ok"}, headers=_HEADERS)

    async def runbooks() -> Response:
        try:
            text = await asyncio.to_thread(read_runbooks, sources.runbooks)
        except RetrievalError as error:
            return message("No runbooks", error, 404)
        found = runbooks_html(text, [one.id for one in dashboards])
        main = tag("main", found, id="main", class_="reading")
        return HTMLResponse(whole("Runbooks", dashboards, "runbooks", Choices(), main), headers=_HEADERS)

    def shows(dashboard: Dashboard) -> Callable[[Request], object]:
        async def page(request: Request) -> Response:
            try:
                choices = Choices.of(request.query_params, dashboard)
            except ConfigError as error:
                return message("This cannot be chosen", error, 400)
            shown = await _shown(dashboard, choices, sources, panels, clock())
            return HTMLResponse(dashboard_page(shown, dashboards), headers=_HEADERS)

        return page

    panels = panel_ids()
    app.add_api_route("/", first, methods=["GET", "HEAD"])
    app.add_api_route("/health", health, methods=["GET", "HEAD"])
    app.add_api_route("/runbooks", runbooks, methods=["GET", "HEAD"])
    for dashboard in dashboards:
        app.add_api_route(f"/{dashboard.id}", shows(dashboard), methods=["GET", "HEAD"], response_model=None)


async def _shown(
    dashboard: Dashboard, choices: Choices, sources: Sources, panels: Mapping[str, str], now: float
) -> Shown:
    window = Window.ending(now, choices.range)
    alerts = await alerts_now(sources.prometheus, sources.alertmanager, panels)
    if alerts.away:
        return Shown(dashboard, choices, {}, window, nothing(dashboard, "Prometheus does not answer."), alerts)
    options, data = await asyncio.gather(
        _options(dashboard, window, sources.prometheus), data_of(dashboard, choices, window, sources.prometheus)
    )
    return Shown(dashboard, choices, options, window, data, alerts)


async def _options(dashboard: Dashboard, window: Window, prometheus: Server) -> dict[str, list[str]]:
    """Values that may be chosen, of the time shown; none where they cannot be read."""
    found = {}
    for variable in dashboard.variables:
        try:
            asked = urlencode({"match[]": variable.metric, "start": f"{window.start}"})
            body = await prometheus.read(f"/api/v1/label/{variable.name}/values?{asked}")
        except QueryError:
            continue
        values = body.get("data", []) if isinstance(body, dict) else []
        found[variable.name] = [str(value) for value in values][:_MOST_VALUES]
    return found


def _add_files(app: FastAPI) -> None:
    """Files of the package, read once."""
    for found in (resources.files("monitoring.page") / "web").iterdir():
        suffix = Path(found.name).suffix
        if suffix in _TYPES:
            app.add_api_route(f"/static/{found.name}", _file(found.read_bytes(), suffix), methods=["GET", "HEAD"])


def _file(content: bytes, suffix: str) -> Callable[[Request], object]:
    headers = {**_HEADERS, "content-type": _TYPES[suffix], "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"'}

    async def serve(request: Request) -> Response:
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers)

    return serve


def _not_found(dashboards: Sequence[Dashboard]) -> Callable[[Request, Exception], Response]:
    def answer(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        known = ", ".join(f"/{one.id}" for one in dashboards)
        return HTMLResponse(
            message_page("Nothing is here", f"Known addresses are {known} and /runbooks.", dashboards),
            status,
            headers=_HEADERS,
        )

    return answer
