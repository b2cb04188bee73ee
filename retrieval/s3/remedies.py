"""What an S3 client's errors mean, whether they pass by themselves, and the step that mends each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from retrieval.errors import StorageError
from retrieval.s3.checksums import REQUEST_CHECKSUMS, WHEN_REQUIRED

LACKING = ("NotImplemented", "MethodNotAllowed", "501", "405")
"""Codes of a store that does not know a kind of request."""

_CHECK_KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_REFUSED = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
_EXPIRED = ("ExpiredToken", "InvalidToken", "TokenRefreshRequired")
_ELSEWHERE = ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException", "301")
_BUSY = ("SlowDown", "RequestTimeout", "429")
_CHECKSUMS = re.compile(r"checksum|x-amz-sdk|trailer|aws-chunked|content-?sha-?256", re.IGNORECASE)
_REGION = re.compile(r"expecting '([\w-]+)'")
_NO_NAME = re.compile(r"not known|resol|getaddrinfo|nodename", re.IGNORECASE)
_UNTRUSTED = re.compile(r"certificate", re.IGNORECASE)
_NO_TLS = re.compile(r"wrong.version|record layer|http_request|unknown.protocol", re.IGNORECASE)
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError")
_IMPOSSIBLE = ("ParamValidationError", "NoRegionError", "InvalidRegionError")
_NEVER_PASSING = (*_NO_CREDENTIALS, *_IMPOSSIBLE, "ResponseParserError")


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
        return " ".join(str(_said(self.error).get("Message", "")).split())[:300]

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


def explanation(uri: str, failure: Failure) -> StorageError:
    """The error in words that say what to do next; never with credentials.

    Args:
        uri: What was read or written.
        failure: Of the request.
    """
    away = may_pass(failure.error)
    text = next(filter(None, (explain(failure) for explain in _EXPLAINED)), None)
    if text is None:
        text = _of_busy_or_unknown(failure, away)
    return StorageError(f"{uri}: {text}", failure.code or failure.name, away=away)


def code_of(error: Exception) -> str:
    """S3's code of an error; empty where the server gave none."""
    return str(_said(error).get("Code", ""))


def may_pass(error: Exception) -> bool:
    """Whether the same request may go well later: the server is away or overloaded, not unwilling."""
    if isinstance(getattr(error, "response", None), dict):
        status = int(_facts(error).get("HTTPStatusCode", 0))
        code = code_of(error)
        return code in _BUSY or (status >= 500 and code not in LACKING and not _is_page(error))
    text = str(error)
    return type(error).__name__ not in _NEVER_PASSING and not (
        type(error).__name__ == "SSLError" and (_UNTRUSTED.search(text) or _NO_TLS.search(text))
    )


def _is_page(error: Exception) -> bool:
    """Whether a web page came where S3's words are due; botocore makes a 500 of a 200 that it cannot read."""
    facts = _facts(error)
    kind = str(dict(facts.get("HTTPHeaders") or {}).get("content-type", ""))
    return type(error).__name__ == "ResponseParserError" or (code_of(error) == "500" and kind.startswith("text/html"))


def _facts(error: Exception) -> dict[str, Any]:
    response = getattr(error, "response", None)
    return dict(response.get("ResponseMetadata") or {}) if isinstance(response, dict) else {}


def _said(error: Exception) -> dict[str, object]:
    response = getattr(error, "response", None)
    said = response.get("Error", {}) if isinstance(response, dict) else {}
    return said if isinstance(said, dict) else {}


def _of_checksums(failure: Failure) -> str | None:
    words = f"{failure.code} {failure.detail}"
    if not failure.answered or not _CHECKSUMS.search(words):
        return None
    what = f"{failure.where} refuses the request's checksum ({failure.code}: {failure.detail})"
    if failure.plain:
        return f"{what} although {REQUEST_CHECKSUMS} is {WHEN_REQUIRED}; update the store, or the proxy before it"
    return f"{what}, as older stores do; set {REQUEST_CHECKSUMS}={WHEN_REQUIRED} and run again"


def _of_credentials(failure: Failure) -> str | None:
    register = "for a stack, then run `python -m stacks.register s3`"
    if failure.name in _NO_CREDENTIALS:
        return (
            f"no credentials for {failure.where} ({failure.name}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY;"
            f" {register}"
        )
    if failure.code in _EXPIRED:
        return (
            f"{failure.where} refuses the credentials ({failure.code}): they have expired; renew AWS_ACCESS_KEY_ID,"
            f" AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; {register}"
        )
    if failure.code in _REFUSED or (failure.code == "403" and failure.is_bodiless):
        rights = f" and that the account may {failure.request}" if failure.code == "AccessDenied" else ""
        return f"{failure.where} refuses the credentials ({failure.code}); {_CHECK_KEYS}{rights}; {register}"
    return None


def _of_clock(failure: Failure) -> str | None:
    if failure.code != "RequestTimeTooSkewed":
        return None
    return (
        f"{failure.where} refuses the request's time ({failure.code}): this machine's clock and the server's differ by"
        " minutes; set both, with `timedatectl set-ntp true` for example"
    )


def _of_what_is_missing(failure: Failure) -> str | None:
    if failure.code == "NoSuchBucket":
        make = "make it with `python -m stacks.register s3 --create-bucket`, or correct S3_BUCKET or the address"
        return f"{failure.where} has no bucket {failure.bucket}; {make}"
    if failure.code == "NoSuchKey" or (failure.code == "404" and failure.is_bodiless):
        return f"no such object at {failure.where}; it was never written, or was removed"
    return None


def _of_region(failure: Failure) -> str | None:
    if failure.code not in _ELSEWHERE:
        return None
    expected = _REGION.search(failure.detail)
    right = expected[1] if expected else str(_said(failure.error).get("Region") or "THE_BUCKETS_REGION")
    return (
        f"{failure.where} has this bucket in another region ({failure.code}: {failure.detail}); set AWS_REGION={right},"
        " for a stack, then run `python -m stacks.register s3`"
    )


def _of_addressing(failure: Failure) -> str | None:
    if failure.code != "SecondLevelDomainForbidden" and "virtual host" not in failure.detail.lower():
        return None
    return (
        f"{failure.where} wants the bucket's name in the host's ({failure.code}: {failure.detail}); run `aws configure"
        " set default.s3.addressing_style virtual`, or write `s3 =` and below it `  addressing_style = virtual` under"
        " [default] in ~/.aws/config"
    )


def _of_no_s3(failure: Failure) -> str | None:
    """What answers is no S3: a console, a login page, a proxy, or a server that wants the other scheme."""
    page = _is_page(failure.error)
    nameless = failure.answered and (not failure.code or failure.code.isdigit()) and not may_pass(failure.error)
    if not page and not nameless:
        return None
    got = "a page" if page else f"HTTP {failure.code or _facts(failure.error).get('HTTPStatusCode')} without S3's words"
    name = "the network" if failure.is_aws else "AWS_ENDPOINT_URL"
    return (
        f"{failure.where} answers {failure.request or 'the request'} with {got}, so it is no S3 API or something stands"
        f" before it; check {name}: http or https, the API's port (MinIO: 9000, not its console's 9001), no path"
    )


def _of_lacking(failure: Failure) -> str | None:
    if failure.code not in LACKING:
        return None
    return (
        f"{failure.where} does not know the request {failure.request or 'it got'} ({failure.code}: {failure.detail});"
        " update the store, or take one that knows it"
    )


def _of_tls(failure: Failure) -> str | None:
    if failure.name != "SSLError":
        return None
    reason = " ".join(str(failure.error).split())[:200]
    if _UNTRUSTED.search(reason):
        return (
            f"{failure.where} shows a certificate that is not trusted here ({reason}); set AWS_CA_BUNDLE to a file with"
            " the certificate of who issued it"
        )
    return (
        f"{failure.where} cannot be reached by TLS{failure.waited} ({reason}); where it has none write http:// in"
        " AWS_ENDPOINT_URL"
    )


def _of_bad_request(failure: Failure) -> str | None:
    if failure.name not in _IMPOSSIBLE:
        return None
    reason = " ".join(str(failure.error).split())[:200]
    return f"no S3 request can be made of this ({reason}); correct the address, S3_BUCKET or AWS_REGION"


def _of_busy_or_unknown(failure: Failure, away: bool) -> str:
    where, waited = failure.where, failure.waited
    if failure.code and not away:
        return f"{where} refuses the request: {failure.code}: {failure.detail}"
    if failure.code:
        return f"{where} answers {failure.code}{waited}; see the server's log (is its disk full?)"
    if failure.is_aws:
        mend = "check this machine's network, or set AWS_ENDPOINT_URL where the store is not Amazon's"
    elif _NO_NAME.search(str(failure.error)):
        mend = f"no host is called {urlsplit(where).hostname}, so correct AWS_ENDPOINT_URL"
    elif failure.name == "ProxyConnectionError":
        mend = "correct HTTP_PROXY and HTTPS_PROXY, or name the host in NO_PROXY"
    else:
        mend = "start it, then run again"
    return f"{where} cannot be reached{waited} ({failure.name}); {mend}"


_EXPLAINED: tuple[Callable[[Failure], str | None], ...] = (
    _of_checksums, _of_credentials, _of_clock, _of_what_is_missing, _of_region, _of_addressing, _of_lacking, _of_no_s3,
    _of_tls, _of_bad_request,
)  # fmt: skip
