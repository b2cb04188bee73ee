"""A small S3 server on loopback that refuses or answers as a test tells it to, as stores of other makers do."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from retrieval.s3.client import S3, S3Settings, connect

SECRET = "never-to-be-shown"


@dataclass(frozen=True)
class Request:
    """What a client asks for."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What the server says instead of doing it."""

    status: int
    body: str
    content_type: str = "application/xml"


def refusal(status: int, code: str, message: str) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>")


Oddity = Callable[[Request], "Answer | None"]


@dataclass
class StrangeStore:
    """A store with its objects and the requests it got."""

    oddity: Oddity
    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, patience_seconds: float = 5) -> S3:
        return connect(S3Settings(self.url, "us-east-1", "key", SECRET, patience_seconds=patience_seconds))

    def answer(self, request: Request, body: bytes) -> tuple[Answer | bytes, dict[str, str]]:
        self.seen.append(request)
        if odd := self.oddity(request):
            return odd, {}
        key = request.path
        if request.method == "PUT":
            source = request.headers.get("x-amz-copy-source")
            self.objects[key] = self.objects[f"/{source}"] if source else body
            return b"<CopyObjectResult><ETag>x</ETag></CopyObjectResult>" if source else b"", {"ETag": _etag(body)}
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return b"", {}
        if key.strip("/").count("/") == 0:
            return self._listing(key.strip("/"), request.query.get("prefix", "")), {}
        if key not in self.objects:
            return refusal(404, "NoSuchKey", "none"), {}
        return self.objects[key], {"ETag": _etag(self.objects[key])}

    def _listing(self, bucket: str, prefix: str) -> bytes:
        names = {key.removeprefix(f"/{bucket}/"): len(content) for key, content in self.objects.items()}
        rows = (f"<Contents><Key>{name}</Key><Size>{size}</Size></Contents>" for name, size in names.items())
        rows = (row for row in rows if row.startswith(f"<Contents><Key>{prefix}"))
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(rows)}</ListBucketResult>".encode()


@contextmanager
def strange_store(oddity: Oddity = lambda _: None) -> Iterator[StrangeStore]:
    """Serve one until the block ends."""
    store = StrangeStore(oddity)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Print nothing."""

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer, more = store.answer(Request(self.command, unquote(parts.path), query, headers), body)
            status, content, kind = 200, answer, "application/xml"
            if isinstance(answer, Answer):
                status, content, kind = answer.status, answer.body.encode(), answer.content_type
            assert isinstance(content, bytes)
            span = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("range", ""))
            if span and status == 200:
                status, content = 206, content[int(span[1]) : int(span[2]) + 1]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), "Content-Type": kind, **more}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    for method in ("GET", "PUT", "POST", "HEAD", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.handle_any)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    store.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _etag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'


_NEW = ("x-amz-sdk-checksum", "x-amz-checksum", "x-amz-trailer")


def without_checksums(request: Request) -> Answer | None:
    """A store of before 2025: it refuses the headers of flexible checksums."""
    new = next((name for name in request.headers if name.startswith(_NEW)), "")
    if new or "aws-chunked" in request.headers.get("content-encoding", ""):
        return refusal(400, "InvalidArgument", f"Unsupported header '{new}' received for this API call.")
    return None


def without_parts(request: Request) -> Answer | None:
    """A store that takes and copies objects only whole."""
    if "uploads" in request.query or "uploadId" in request.query:
        return refusal(501, "NotImplemented", "no multipart here")
    return None
