"""A model hub on loopback that answers what huggingface_hub asks of it: facts, file lists and files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

COMMIT = "c" * 40


@contextmanager
def stub_hub(
    models: Mapping[str, Path], refusals: Mapping[str, tuple[int, bytes]] | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Serve model folders.

    Args:
        models: Folder by hub id.
        refusals: Status and body of every answer, by the hub id that is asked for.

    Yields:
        The hub's address, and the paths of the files that were fetched, as they come.
    """
    fetched: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            for name, (status, body) in (refusals or {}).items():
                if f"/{name}" in path:
                    return self.answer(status, body)
            for name, folder in models.items():
                files = {one.relative_to(folder).as_posix(): one for one in folder.rglob("*") if one.is_file()}
                if path.startswith(f"/api/models/{name}/tree/"):
                    listed = [{"type": "file", "path": at, "size": one.stat().st_size, "oid": digest(one)}
                              for at, one in files.items()]  # fmt: skip
                    return self.answer(200, json.dumps(listed).encode())
                if path.startswith(f"/api/models/{name}"):
                    siblings = [{"rfilename": at} for at in files]
                    return self.answer(200, json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode())
                asked = path.removeprefix(f"/{name}/resolve/").partition("/")[2]
                if path.startswith(f"/{name}/resolve/"):
                    if asked not in files:
                        return self.answer(404, b"", X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
                    if self.command == "GET":
                        fetched.append(asked)
                    body = files[asked].read_bytes()
                    return self.answer(200, body, ETag=f'"{digest(files[asked])}"', X_Repo_Commit=COMMIT)
            return self.answer(404, b"", X_Error_Code="RepoNotFound")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", fetched
    finally:
        server.shutdown()
        server.server_close()


def digest(path: Path) -> str:
    """What a hub calls a file's version."""
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
