"""Why a request is not answered: one class for each code that a client can get, with its HTTP status.

RetrievalError                of retrieval.errors
└── ServingError              a request cannot be answered, or a server may not answer any
    └── Refusal               what a client is told (500 internal, where it is none of those below)
        ├── Malformed         400 the body is not JSON
        ├── Unauthorized      401 no key, or one that is not known
        ├── NotFound          404 nothing is at this address
        ├── MethodNotAllowed  405 the address takes other methods
        ├── BodyTooSlow       408 the body did not arrive in time
        ├── BodyTooLarge      413 the body has more bytes than are read
        ├── InvalidInput      422 the body is JSON but not what the action takes
        ├── RateLimited       429 this key has asked too often
        ├── Overloaded        429 the queue is full
        ├── DeadlinePassed    429 the queue is too long for the time that the client gave
        ├── ModelFault        500 the model failed or gave numbers that are not finite
        ├── UpstreamFault     502 a service that is asked for a part does not answer, or answers badly
        └── NotReady          503 the bundle is not loaded yet, or the service is stopping

The gateway's own kind of ServingError, a reranker that it does without, is beside the stages that raise it.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from retrieval.errors import RetrievalError


class ServingError(RetrievalError):
    """A request cannot be answered, or a server may not answer any."""


class Refusal(ServingError):  # noqa: N818 - what a client is told, not always a fault
    """A request that gets an error for an answer; the message says what, got and what to do next.

    Attributes:
        code: What programs look at.
        status: Of HTTP.
        retry_after_seconds: When to try again; None where trying again does not help.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(_on_one_line(message))
        self.retry_after_seconds = retry_after_seconds

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer."""
        if self.retry_after_seconds is None:
            return {}
        return {"retry-after": str(max(1, math.ceil(self.retry_after_seconds)))}

    def body(self) -> dict[str, dict[str, str]]:
        """The answer, in JSON or as a job's output."""
        return {"error": {"code": self.code, "message": str(self)}}


def _on_one_line(message: str) -> str:
    """With line breaks and what else cannot be printed, which names that a client sent may hold, written as escapes."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in message)


class Malformed(Refusal):
    """The body is not JSON."""

    code, status = "malformed", 400


class Unauthorized(Refusal):
    """No key, or one that is not known."""

    code, status = "unauthorized", 401

    @property
    def headers(self) -> dict[str, str]:
        """Names the way to authenticate."""
        return {"www-authenticate": "Bearer"}


class NotFound(Refusal):
    """Nothing is at this address."""

    code, status = "not_found", 404


class MethodNotAllowed(Refusal):
    """The address takes other methods."""

    code, status = "method_not_allowed", 405

    def __init__(self, message: str, allowed: str = "") -> None:
        super().__init__(message)
        self._allowed = allowed

    @property
    def headers(self) -> dict[str, str]:
        """Names the methods it takes."""
        return {"allow": self._allowed}


class BodyTooSlow(Refusal):
    """The body did not arrive in time."""

    code, status = "body_too_slow", 408


class BodyTooLarge(Refusal):
    """The body has more bytes than are read."""

    code, status = "body_too_large", 413


class InvalidInput(Refusal):
    """The body is JSON but not what the action takes."""

    code, status = "invalid_input", 422


class RateLimited(Refusal):
    """This key has asked too often."""

    code, status = "rate_limited", 429


class Overloaded(Refusal):
    """The queue is full."""

    code, status = "overloaded", 429


class DeadlinePassed(Refusal):
    """The queue is too long for the time that the client gave."""

    code, status = "deadline_passed", 429


class ModelFault(Refusal):
    """The model failed or gave numbers that are not finite."""

    code, status = "model_fault", 500


class UpstreamFault(Refusal):
    """A service that is asked for a part of the answer does not answer, or answers badly."""

    code, status = "upstream_fault", 502


class NotReady(Refusal):
    """The bundle is not loaded yet, or the service is stopping."""

    code, status = "not_ready", 503


Fallback = Literal["slow", "down", "bad_answer", "overloaded", "circuit_open", "no_reranker"]
"""Why a question is answered without the reranking it asked for, which is no error."""
_KINDS: tuple[type[Refusal], ...] = (
    Refusal, Malformed, Unauthorized, NotFound, MethodNotAllowed, BodyTooSlow, BodyTooLarge, InvalidInput, RateLimited,
    Overloaded, DeadlinePassed, ModelFault, UpstreamFault, NotReady,
)  # fmt: skip
STATUS_OF = {kind.code: kind.status for kind in sorted(_KINDS, key=lambda kind: kind.code)}
"""HTTP's status by code."""
CODES = tuple(STATUS_OF)
