"""The search page's files, read once from the package and served with a policy that lets nothing else in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

from fastapi import APIRouter, Request, Response

_POLICY = "; ".join(
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
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class _File:
    """A file of the page."""

    content: bytes
    headers: dict[str, str]


def page_router() -> tuple[APIRouter, frozenset[str]]:
    """Endpoints of the page, and their addresses, which need no key: the page itself asks for one where it must."""
    files = {_address(found.name): _read(found.read_bytes(), found.name) for found in _web()}
    router = APIRouter(include_in_schema=False)

    async def serve(request: Request) -> Response:
        file = files[request.url.path]
        if request.headers.get("if-none-match") == file.headers["etag"]:
            return Response(status_code=304, headers=file.headers)
        return Response(file.content, headers=file.headers)

    for address in files:
        router.add_api_route(address, serve, methods=["GET", "HEAD"])
    return router, frozenset(files)


def _web() -> list[resources.abc.Traversable]:
    web = resources.files("deployment.gateway") / "web"
    return [found for found in web.iterdir() if _suffix(found.name) in _TYPES]


def _read(content: bytes, name: str) -> _File:
    headers = {
        "content-type": _TYPES[_suffix(name)],
        "content-security-policy": _POLICY,
        "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        "cache-control": "no-cache",  # kept, but asked for again, so that an update shows at once
    }
    return _File(content, headers)


def _address(name: str) -> str:
    return "/" if name == "index.html" else f"/static/{name}"


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]
