"""What a request is called on its way through gateway, services and logs: the client's name for it, or one of ours."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from monitoring.logs import REQUEST_ID
from monitoring.traces import TRACE_KEYS, trace_headers

REQUEST_ID_HEADER = "x-request-id"
ENVELOPE = {REQUEST_ID_HEADER: "request_id", **{key: key for key in TRACE_KEYS}}
"""Headers that say whose request it is, and the keys of a job's input that say the same."""
_SANE = re.compile(r"[A-Za-z0-9._:=+/@-]{1,128}")  # UUIDs, ULIDs, what proxies and clouds send


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The id that a client gave, if it is short and plain, else a new one.

    Args:
        headers: Of the request, as ASGI has them.
    """
    raw = REQUEST_ID_HEADER.encode()
    return sane_request_id(next((value.decode("latin-1") for name, value in headers if name == raw), None))


def outgoing_headers() -> dict[str, str]:
    """Headers with which another service is asked, so that its log and trace name the same request."""
    request_id = REQUEST_ID.get()
    return trace_headers() if request_id is None else {REQUEST_ID_HEADER: request_id, **trace_headers()}


def sane_request_id(given: object) -> str:
    """The same for an id that came by another way than a header."""
    return given if isinstance(given, str) and _SANE.fullmatch(given) else secrets.token_hex(16)
