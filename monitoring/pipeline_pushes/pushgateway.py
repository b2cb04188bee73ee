"""Talks to a Pushgateway: push, list and delete the groups of pipelines, each within a few seconds or not at all."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlsplit

from retrieval.errors import ConfigError, ServerError

JOB = "pipeline"
ADDRESS = "MONITORING_PUSHGATEWAY"
"""Variable with the address, where no configuration key gives it."""
SECONDS = 3.0
"""Longest wait for a Pushgateway; a run has nothing else to do then, but must not hang on it."""
_MOST_READ = 8 << 20
_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LOCAL = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Group:
    """What a Pushgateway holds of one pipeline.

    Attributes:
        pipeline: Its name.
        pushed_at: When it was last pushed to, Unix time in seconds.
        values: Metrics without labels of their own, by name.
    """

    pipeline: str
    pushed_at: float
    values: dict[str, float]


class Pushgateway:
    """A Pushgateway at an address.

    Attributes:
        address: Without a final slash.
    """

    def __init__(self, address: str, seconds: float = SECONDS) -> None:
        """Take an address.

        Args:
            address: Such as ``http://127.0.0.1:9091``.
            seconds: Longest wait for each call.

        Raises:
            ConfigError: If it is none, or holds a password, which would be kept with every run.
        """
        self.address, self._seconds = checked_address(address), seconds

    def push(self, pipeline: str, text: str) -> None:
        """Replace the metrics named in a text within the pipeline's group; others of the group stay (POST).

        Raises:
            ServerError: If it does not take them.
        """
        self._ask("POST", self._group(pipeline), text.encode())

    def delete(self, pipeline: str) -> None:
        """End a pipeline's group.

        Raises:
            ConfigError: If there is none.
            ServerError: If it does not answer.
        """
        known = [group.pipeline for group in self.groups()]
        if pipeline not in known:
            raise ConfigError(f"{pipeline}: no such pipeline at {self.address}; there are {', '.join(known) or 'none'}")
        self._ask("DELETE", self._group(pipeline))

    def groups(self) -> list[Group]:
        """The groups of all pipelines, by name.

        Raises:
            ServerError: If it does not answer, or not as a Pushgateway does.
        """
        said = self._ask("GET", "/api/v1/metrics")
        try:
            found = [_group(one) for one in json.loads(said)["data"] if one["labels"].get("job") == JOB]
        except (ValueError, KeyError, TypeError) as error:
            raise ServerError(
                f"{self.address}: answers, but not as a Pushgateway does ({error}); see what runs there"
            ) from error
        return sorted((one for one in found if one.pipeline), key=lambda group: group.pipeline)

    def _group(self, pipeline: str) -> str:
        return f"/metrics/job/{JOB}/pipeline/{quote(pipeline, safe='')}"

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.address + path, body, {"Content-Type": _TYPE}, method=method)  # noqa: S310 - http(s), checked
        opener = _opener(self.address)

        def send() -> bytes:
            try:
                with opener.open(request, timeout=self._seconds) as answer:
                    said: bytes = answer.read(_MOST_READ)
                    return said
            except urllib.error.HTTPError as error:
                with error:
                    words = " ".join(error.read(300).decode(errors="replace").split())
                raise ServerError(f"Pushgateway at {self.address}: answers {error.code}: {words}") from error
            except (OSError, ValueError, HTTPException) as error:
                reason = getattr(error, "reason", error)
                raise ServerError(f"Pushgateway at {self.address}: {reason}; start it, or mend its address") from error

        return _within(self._seconds, send, self.address)


def checked_address(address: str) -> str:
    """An address of a Pushgateway without its final slash.

    Raises:
        ConfigError: If it is none, or holds a password.
    """
    try:
        parts = urlsplit(address)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known or parts.query or parts.fragment:
        raise ConfigError(f"Pushgateway: got {address!r}; give an address such as http://127.0.0.1:9091")
    if parts.username or parts.password:
        raise ConfigError(
            "Pushgateway: the address holds a user or password, which would be kept with every run; give an address"
            " that needs none, within your own network"
        )
    return address.rstrip("/")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:  # noqa: ANN401 - a redirected push would become a GET, and be lost
        """Take a redirect for the refusal that it is."""


def _opener(address: str) -> urllib.request.OpenerDirector:
    direct = [urllib.request.ProxyHandler({})] if urlsplit(address).hostname in _LOCAL else []
    return urllib.request.build_opener(_NoRedirect, *direct)


def _within(seconds: float, call: Callable[[], bytes], address: str) -> bytes:
    """What a call gives, if it ends in time: a socket's own time-out begins anew with every byte that drips in."""
    got: list[bytes] = []
    raised: list[ServerError] = []

    def work() -> None:
        try:
            got.append(call())
        except ServerError as error:
            raised.append(error)

    thread = threading.Thread(target=work, name="pushgateway", daemon=True)
    thread.start()
    thread.join(seconds + 0.5)  # a moment more than the socket's, whose words say more
    if raised:
        raise raised[0]
    if not got:
        raise ServerError(f"Pushgateway at {address}: no answer in {seconds:g} s; see why it is slow")
    return got[0]


def _group(found: dict[str, Any]) -> Group:
    values = dict(_values(found))
    return Group(str(found["labels"].get("pipeline", "")), values.get("push_time_seconds", 0.0), values)


def _values(found: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, family in found.items():
        if isinstance(family, dict) and "metrics" in family and len(family["metrics"]) == 1:
            yield name, float(family["metrics"][0]["value"])
