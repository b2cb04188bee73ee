"""One line in the log for each request or job that was answered, without anything that a client wrote."""

from __future__ import annotations

import logging

from deployment.errors import Refusal
from deployment.service_metrics import CLIENT_GONE, CLIENT_LEFT
from monitoring.logs import ACCESS

_access = logging.getLogger(ACCESS)
_FAULT = 500


def log_access(
    status: int, seconds: float, action: str, refusal: Refusal | None, method: str = "", route: str = ""
) -> None:
    """Write the line; a fault of ours is an error and says why, a mistake of the client's is none.

    Args:
        status: Of HTTP, or what a job's answer would have there.
        seconds: From the first byte to the answer.
        action: Asked for; empty where that is not known.
        refusal: Why there is no answer.
        method: Of HTTP; empty for a job.
        route: Template of the address; empty where none fits, or where the doors stayed shut.
    """
    fault = status >= _FAULT
    level = logging.ERROR if fault else logging.INFO
    if not _access.isEnabledFor(level):
        return
    told = {
        "method": method or None,
        "route": route or None,
        "status": status,
        "duration_ms": round(1000.0 * seconds, 3),
        "action": action or None,
        "error": CLIENT_LEFT if status == CLIENT_GONE else refusal and refusal.code,
        "reason": str(refusal) if refusal and fault else None,  # of mistakes it can hold what the client sent
    }
    _access.log(level, "dropped" if status == CLIENT_GONE else "refused" if refusal else "answered", extra=told)
