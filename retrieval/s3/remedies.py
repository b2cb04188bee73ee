"""What an S3 client's errors mean, and the step that mends each."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from retrieval.errors import StorageError
from retrieval.s3.checksums import REQUEST_CHECKSUMS, WHEN_REQUIRED
from retrieval.s3.failures import (
    BUSY,
    IMPOSSIBLE,
    LACKING,
    NO_CREDENTIALS,
    UNTRUSTED,
    Failure,
    facts_of,
    is_page,
    may_pass,
    said_in,
)

_CHECK_KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_REFUSED = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
_EXPIRED = ("ExpiredToken", "InvalidToken", "TokenRefreshRequired")
_ELSEWHERE = ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException", "301")
_FULL = ("QuotaExceeded", "QuotaExceededException", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "507")
_TOO_LARGE = ("EntityTooLarge", "413")
_GATEWAY = ("502", "504")
_MOVED = (301, 302, 303, 307, 308)
_WRITES = ("PutObject", "UploadPart", "CreateMultipartUpload", "CompleteMultipartUpload", "DeleteObjects")
_BY_CHECKSUM = ("NotImplemented", "501", "MissingContentLength", "IncompleteBody", "BadDigest", "InvalidDigest")
"""Codes by which some stores refuse checksums without naming them."""
_CHECKSUMS = re.compile(r"checksum|x-amz-sdk|trailer|aws-chunked|content-?sha-?256", re.IGNORECASE)
_REGION = re.compile(r"expecting '([\w-]+)'")
_NO_NAME = re.compile(r"not known|resol|getaddrinfo|nodename", re.IGNORECASE)


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


def _of_checksums(failure: Failure) -> str | None:
    named = _CHECKSUMS.search(f"{failure.code} {failure.detail}")
    unnamed = failure.code in _BY_CHECKSUM and failure.request in _WRITES and not failure.plain and not failure.is_aws
    if not failure.answered or not (named or unnamed):
        return None
    what = f"{failure.where} refuses the request's checksum ({failure.code}: {failure.detail})"
    if failure.plain:
        return f"{what} although {REQUEST_CHECKSUMS} is {WHEN_REQUIRED}; update the store, or the proxy before it"
    return f"{what}, as older stores do; set {REQUEST_CHECKSUMS}={WHEN_REQUIRED} and run again"


def _of_credentials(failure: Failure) -> str | None:
    register = "for a stack, then run `python -m stacks.register s3`"
    if failure.name in NO_CREDENTIALS:
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


def _of_moved(failure: Failure) -> str | None:
    """A store, or a proxy before it, that sends all requests on, such as those of http to https."""
    facts = facts_of(failure.error)
    said = said_in(failure.error)
    away = facts.get("HTTPStatusCode") in _MOVED and not said.get("Region")
    if not away or failure.is_aws:
        return None
    location = urlsplit(str(dict(facts.get("HTTPHeaders") or {}).get("location", "")))
    there = f"{location.scheme}://{location.netloc}" if location.netloc else str(said.get("Endpoint") or "")
    if not there or there == failure.where.rstrip("/"):
        return None
    return (
        f"{failure.where} sends requests on to {there} (HTTP {facts.get('HTTPStatusCode')}); set AWS_ENDPOINT_URL to"
        " that address, with http:// or https://; for a stack, then run `python -m stacks.register s3`"
    )


def _of_size(failure: Failure) -> str | None:
    """No room for what is written, or a limit of one request's size."""
    status = str(facts_of(failure.error).get("HTTPStatusCode"))
    said = f"{failure.code}: {failure.detail}" if failure.detail else f"HTTP {status}"
    if failure.code in _FULL or status == "507":
        waited = failure.waited if may_pass(failure.error) else ""
        return (
            f"{failure.where} has no room left for this ({said}){waited}; remove what is not needed there, or raise the"
            " bucket's quota, then run again"
        )
    if failure.code in _TOO_LARGE or status == "413":
        return (
            f"{failure.where} takes no request of this size ({said}); raise the limit of the store or the proxy before"
            " it (nginx: client_max_body_size) to 16 MiB or more"
        )
    return None


def _of_region(failure: Failure) -> str | None:
    if failure.code not in _ELSEWHERE:
        return None
    expected = _REGION.search(failure.detail)
    right = expected[1] if expected else str(said_in(failure.error).get("Region") or "THE_BUCKETS_REGION")
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
    page = is_page(failure.error)
    nameless = failure.answered and (not failure.code or failure.code.isdigit()) and not may_pass(failure.error)
    if not page and not nameless:
        return None
    got = (
        "a page" if page else f"HTTP {failure.code or facts_of(failure.error).get('HTTPStatusCode')} without S3's words"
    )
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
    if UNTRUSTED.search(reason):
        return (
            f"{failure.where} shows a certificate that is not trusted here ({reason}); set AWS_CA_BUNDLE to a file with"
            " the certificate of who issued it"
        )
    return (
        f"{failure.where} cannot be reached by TLS{failure.waited} ({reason}); where it has none write http:// in"
        " AWS_ENDPOINT_URL"
    )


def _of_bad_request(failure: Failure) -> str | None:
    if failure.name not in IMPOSSIBLE:
        return None
    reason = " ".join(str(failure.error).split())[:200]
    return f"no S3 request can be made of this ({reason}); correct the address, S3_BUCKET or AWS_REGION"


def _of_busy_or_unknown(failure: Failure, away: bool) -> str:
    where, waited = failure.where, failure.waited
    if failure.code and not away:
        mend = (
            "correct S3_BUCKET" if failure.code == "InvalidBucketName" else "mend that at the store, or ask who runs it"
        )
        return f"{where} refuses the request: {failure.code}: {failure.detail}; {mend}"
    if failure.code in BUSY:
        return f"{where} answers {failure.code}{waited}: it has too much to do; run again later"
    if failure.code in _GATEWAY:
        what = "the proxy before the store does not reach it; start the store, then run again"
        return f"{where} answers {failure.code}{waited}: {what}"
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
    _of_checksums, _of_credentials, _of_clock, _of_what_is_missing, _of_moved, _of_region, _of_addressing, _of_size,
    _of_lacking, _of_no_s3, _of_tls, _of_bad_request,
)  # fmt: skip
