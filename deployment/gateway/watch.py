"""Whether a service that the gateway asks is ready: looked at when somebody wants to know, and not more often."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from deployment.api.responses import ServiceOut
from deployment.errors import Refusal
from deployment.gateway.stages import RerankFault

_logger = logging.getLogger(__name__)
_FRESH_SECONDS = 1.0
_PATIENCE_SECONDS = 0.5
_LOOK_SECONDS = 3.0
_TRUSTED_SECONDS = 30.0
Look = Callable[[], Awaitable[Mapping[str, Any]]]
"""Asks a service whether it is ready, and gives what it says; raises what keeps it from being so."""


@dataclass(frozen=True)
class Seen:
    """A service as it was seen.

    Attributes:
        at: Monotonic seconds.
        reason: Why it is not ready; empty where it is.
        facts: What it says of itself.
    """

    at: float
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class ServiceWatch:
    """What is known of one service; however many ask, one look is under way, and nobody waits long for it."""

    def __init__(
        self,
        name: str,
        address: str,
        look: Look,
        patience_seconds: float = _PATIENCE_SECONDS,
        look_seconds: float = _LOOK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch a service; the first to ask begins.

        Args:
            name: For people.
            address: Where it answers; a password in it is not shown.
            look: Asks it.
            patience_seconds: Longest wait of whoever asks; then what was seen last is told.
            look_seconds: Longest time for a look; a service that takes more hangs.
            clock: Monotonic seconds.
        """
        self.name, self.address = name, _shown(address)
        self._look, self._clock = look, clock
        self._patience_seconds, self._look_seconds = patience_seconds, look_seconds
        self._seen: Seen | None = None
        self._looking: asyncio.Task[None] | None = None

    async def seen(self) -> Seen:
        """The service as it is now, or was a moment ago."""
        if self._seen is not None and self._age(self._seen) < _FRESH_SECONDS:
            return self._seen
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._note(), context=Context())  # no part of one request
        await asyncio.wait({self._looking}, timeout=self._patience_seconds)  # goes on if whoever asks leaves
        if self._seen is None or (not self._seen.reason and self._age(self._seen) > _TRUSTED_SECONDS):
            return Seen(self._clock(), f"{self._named} has not answered for {self._patience_seconds:g} s")
        return self._seen

    def told(self, seen: Seen) -> ServiceOut:
        """What was seen, for people."""
        status: Literal["ready", "not_ready"] = "not_ready" if seen.reason else "ready"
        return ServiceOut(address=self.address, status=status, reason=seen.reason)

    async def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    @property
    def _named(self) -> str:
        return f"the {self.name} service at {self.address}"

    def _age(self, seen: Seen) -> float:
        return self._clock() - seen.at

    async def _note(self) -> None:
        """Look, and note what was seen; what changes is logged."""
        reason, facts = "", {}
        try:
            facts = dict(await asyncio.wait_for(self._look(), self._look_seconds))
        except TimeoutError:
            reason = f"{self._named} hangs: no answer in {self._look_seconds:g} s"
        except httpx.HTTPError as error:
            reason = f"{self._named} does not answer ({type(error).__name__}); start it, or correct its address"
        except (Refusal, RerankFault) as error:
            said = str(error).removeprefix(f"the {self.name} service ").removeprefix(f"{self.address} ")
            reason = f"{self._named} is not ready: {said}"
        except Exception as error:
            _logger.exception("%s could not be looked at", self._named)
            reason = f"{self._named} could not be looked at ({type(error).__name__}); see the log"
        before = self._seen
        self._seen = Seen(self._clock(), reason, facts)
        if reason and (before is None or not before.reason):
            _logger.warning("%s", reason)
        elif not reason and (before is None or before.reason):
            _logger.info("%s is ready", self._named)


def _shown(address: str) -> str:
    url = httpx.URL(address)
    return str(url.copy_with(userinfo=b"")).rstrip("/") if url.userinfo else address.rstrip("/")
