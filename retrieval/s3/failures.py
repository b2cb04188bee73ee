"""A request to S3 that failed: what the server said, and whether that passes by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

LACKING = ("NotImplemented", "MethodNotAllowed", "501", "405")
"""Codes of a store that does not know a kind of request."""
BUSY = ("SlowDown", "RequestTimeout", "429")
UNTRUSTED = re.compile(r"certificate", re.IGNORECASE)
NO_TLS = re.compile(r"wrong.version|record layer|http_request|unknown.protocol", re.IGNORECASE)
NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError")
IMPOSSIBLE = ("ParamValidationError", "NoRegionError", "InvalidRegionError")
_NEVER_PASSING = (*NO_CREDENTIALS, *IMPOSSIBLE, "ResponseParserError")


@dataclass(frozen=True)
class Failure:
    """A request that failed.

    Attributes:
        where: Address of the server, ``AWS`` where it is Amazon's.
        bucket: Of the request.
        error: What the client raised.
        waited: How long the server was waited for, if it was.
        plain: Whether the client already leaves out checksums that are not required.
    """

    where: str
    bucket: str
    error: Exception
    waited: str = ""
    plain: bool = False

    @property
    def code(self) -> str:
        """S3's code; empty where the server gave none."""
        return code_of(self.error)

    @property
    def name(self) -> str:
        """Of the error's class."""
        return type(self.error).__name__

    @property
    def answered(self) -> bool:
        """Whether the server gave an answer that says what it refuses."""
        return isinstance(getattr(self.error, "response", None), dict)

    @property
    def detail(self) -> str:
        """The server's own words, on one line."""
        return " ".join(str(said_in(self.error).get("Message", "")).split())[:300]

    @property
    def request(self) -> str:
        """Name of the request, such as ``PutObject``."""
        return str(getattr(self.error, "operation_name", "") or "")

    @property
    def is_bodiless(self) -> bool:
        """Whether even a right answer to the request has no body, so that its code is the bare status."""
        return self.request in {"", "HeadObject", "HeadBucket"}

    @property
    def is_aws(self) -> bool:
        """Whether the store is Amazon's."""
        return self.where == "AWS"


def code_of(error: Exception) -> str:
    """S3's code of an error; empty where the server gave none."""
    return str(said_in(error).get("Code", ""))


def may_pass(error: Exception) -> bool:
    """Whether the same request may go well later: the server is away or overloaded, not unwilling."""
    if isinstance(getattr(error, "response", None), dict):
        status = int(facts_of(error).get("HTTPStatusCode", 0))
        code = code_of(error)
        return code in BUSY or (status >= 500 and code not in LACKING and not is_page(error))
    text = str(error)
    return type(error).__name__ not in _NEVER_PASSING and not (
        type(error).__name__ == "SSLError" and (UNTRUSTED.search(text) or NO_TLS.search(text))
    )


def is_page(error: Exception) -> bool:
    """Whether a web page came where S3's words are due; botocore makes a 500 of a 200 that it cannot read."""
    facts = facts_of(error)
    kind = str(dict(facts.get("HTTPHeaders") or {}).get("content-type", ""))
    return type(error).__name__ == "ResponseParserError" or (code_of(error) == "500" and kind.startswith("text/html"))


def facts_of(error: Exception) -> dict[str, Any]:
    """What an answer says of itself: its status and headers."""
    response = getattr(error, "response", None)
    return dict(response.get("ResponseMetadata") or {}) if isinstance(response, dict) else {}


def said_in(error: Exception) -> dict[str, object]:
    """What the server's error says: its code, message and more."""
    response = getattr(error, "response", None)
    said = response.get("Error", {}) if isinstance(response, dict) else {}
    return said if isinstance(said, dict) else {}
