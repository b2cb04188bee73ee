"""A Bot API server on localhost that refuses what Telegram refuses, and answers out of turn where a test says so."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "123456:AAH-stub_token"
CHAT = "-100200300"
_MARKUP = re.compile(r'</?b>|<a href="[^"<>]*">|</a>')


@dataclass(frozen=True)
class Answer:
    """An answer given in the place of the next honest one; ``drop`` closes the connection without any."""

    status: int = 200
    body: str = ""
    drop: bool = False


@dataclass
class StubBotApi:
    """What arrived, and the answers that are due next; while it is down, none is given."""

    url: str = ""
    scripted: list[Answer] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)
    down: bool = False

    @property
    def shown(self) -> list[str]:
        """Delivered messages as a reader sees them."""
        return [plain(html) for html in self.delivered]

    def answer(self, path: str, fields: dict[str, object]) -> Answer:
        self.paths.append(path)
        if self.down or self.scripted:
            return Answer(drop=True) if self.down else self.scripted.pop(0)
        if path != f"/bot{TOKEN}/sendMessage":
            return error(401, "Unauthorized")
        if str(fields.get("chat_id")) != CHAT:
            return error(400, "Bad Request: chat not found")
        html = str(fields.get("text", ""))
        if "<" in _MARKUP.sub("", html) or re.search(r"&(?!lt;|gt;|amp;|quot;|#\d+;)", html) or not _balanced(html):
            return error(400, "Bad Request: can't parse entities")
        length = len(plain(html).encode("utf-16-le")) // 2
        if not 0 < length <= 4096:
            return error(400, "Bad Request: message is too long" if length else "Bad Request: message text is empty")
        self.delivered.append(html)
        chat = {"id": int(CHAT), "type": "supergroup", "title": "alerts"}
        return Answer(body=json.dumps({"ok": True, "result": {"message_id": len(self.delivered), "chat": chat}}))


def plain(html: str) -> str:
    return unescape(_MARKUP.sub("", html))


def _balanced(html: str) -> bool:
    """Whether every tag is closed before another begins, as the messages of this project have it."""
    tags = re.findall(r"<(/?)([ab])\b", html)
    return all(not start[0] and end == ("/", start[1]) for start, end in zip(tags[::2], tags[1::2], strict=False)) and (
        len(tags) % 2 == 0
    )


def error(status: int, description: str, **parameters: int) -> Answer:
    content = {"ok": False, "error_code": status, "description": description, "parameters": parameters}
    return Answer(status, json.dumps(content))


@contextmanager
def serving() -> Iterator[StubBotApi]:
    """Serve on a free port until the block ends."""
    stub = StubBotApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = stub.answer(self.path, fields)
            if answer.drop:
                self.close_connection = True
                return
            self.send_response(answer.status)
            self.end_headers()
            self.wfile.write(answer.body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
