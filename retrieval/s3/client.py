"""The S3 client: settings, patience with an outage, and errors that say what to do next."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from retrieval.errors import ConfigError, StorageError
from retrieval.extras import need

PATIENCE_VARIABLE = "S3_PATIENCE_SECONDS"
DEFAULT_REGION = "us-east-1"
_CONNECTIONS = 16
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0
_REFUSED = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "ExpiredToken", "InvalidToken")
_PASSING = ("SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "429")
Result = TypeVar("Result")


@dataclass(frozen=True)
class S3Settings:
    """How a store is reached; a value left out is looked for where boto3 looks.

    Attributes:
        endpoint_url: Address of the server; AWS where it is None.
        region: Region that signs requests.
        access_key: Not shown.
        secret_key: Not shown.
        session_token: Not shown.
        patience_seconds: How long an outage is waited through before giving up.
    """

    endpoint_url: str | None = None
    region: str = DEFAULT_REGION
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    patience_seconds: float = 60.0


def patience_seconds() -> float:
    """Seconds of outage to wait through, from the environment, else 60.

    Raises:
        ConfigError: If the variable is no number.
    """
    text = os.environ.get(PATIENCE_VARIABLE, "60")
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"{PATIENCE_VARIABLE}={text}: not a number of seconds") from error


def settings_from_environment() -> S3Settings:
    """Settings from the variables that AWS's own tools read."""
    value = os.environ.get
    return S3Settings(
        endpoint_url=value("AWS_ENDPOINT_URL_S3") or value("AWS_ENDPOINT_URL") or None,
        region=value("AWS_REGION") or value("AWS_DEFAULT_REGION") or DEFAULT_REGION,
        access_key=value("AWS_ACCESS_KEY_ID"),
        secret_key=value("AWS_SECRET_ACCESS_KEY"),
        session_token=value("AWS_SESSION_TOKEN"),
        patience_seconds=patience_seconds(),
    )


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``.

    Raises:
        ConfigError: If it is no such address.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ConfigError(f"{uri}: not an S3 address; it looks like s3://bucket/folder")
    return bucket, key.rstrip("/")


@dataclass(frozen=True)
class S3:
    """A connected client.

    Attributes:
        settings: How the store is reached.
        client: boto3's client; safe to share between threads.
    """

    settings: S3Settings
    client: Any = field(repr=False)

    def patiently(self, uri: str, action: Callable[[], Result]) -> Result:
        """Run a request, again and again while the server is away or overloaded, until patience ends.

        Args:
            uri: What is read or written, for the message.
            action: The request; safe to repeat.

        Raises:
            StorageError: If the store stays away or refuses.
        """
        import botocore.exceptions as botocore
        import urllib3

        deadline, pause = time.monotonic() + self.settings.patience_seconds, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return action()
            except (botocore.BotoCoreError, botocore.ClientError, urllib3.exceptions.HTTPError) as error:
                if not _passing(error) or time.monotonic() + pause > deadline:
                    waited = f" after {self.settings.patience_seconds:g} s of retries"
                    raise self.explained(uri, error, waited) from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def explained(self, uri: str, error: Exception, waited: str = "") -> StorageError:
        """An error of boto3 in words that say what to do next; never with credentials.

        Args:
            uri: What was read or written.
            error: Of the request.
            waited: How long the server was waited for, if it was.
        """
        where, bucket = self.settings.endpoint_url or "AWS", split_uri(uri)[0]
        code = code_of(error)
        if code in _REFUSED:
            reason = f"{where} refuses the credentials ({code}); check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            return StorageError(f"{uri}: {reason}, then run `python -m stacks.register s3`", code)
        if code == "NoSuchBucket":
            make = "make it with `python -m stacks.register s3 --create-bucket`, or correct S3_BUCKET"
            return StorageError(f"{uri}: {where} has no bucket {bucket}; {make}", code)
        if code in {"NoSuchKey", "404"}:
            return StorageError(f"{uri}: no such object at {where}; it was never written, or was removed", code)
        if code and not _passing(error):
            detail = error.response.get("Error", {}).get("Message", "")  # type: ignore[attr-defined]
            return StorageError(f"{uri}: {where} refuses the request: {code}: {detail}", code)
        if code:
            return StorageError(
                f"{uri}: {where} answers {code}{waited}; see the server's log (is its disk full?)", code, away=True
            )
        name = type(error).__name__
        return StorageError(
            f"{uri}: {where} cannot be reached{waited} ({name}); start it, then run again", name, away=True
        )


def connect(settings: S3Settings) -> S3:
    """A client for a store; no request is made.

    Raises:
        ConfigError: If boto3 is not installed.
    """
    return S3(settings, _client(settings))


@lru_cache(maxsize=8)
def _client(settings: S3Settings) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    need("s3", "S3")
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "max_attempts": 2},  # waiting longer is this module's task
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=_CONNECTIONS,
    )
    return boto3.client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=settings.region,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key,
        aws_session_token=settings.session_token,
        config=config,
    )


def of_client(error: BaseException) -> bool:
    """Whether an error is one of an S3 client, whether or not one is installed."""
    return type(error).__module__.partition(".")[0] == "botocore"


def code_of(error: Exception) -> str:
    """S3's code of an error; empty where the server gave none."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _passing(error: Exception) -> bool:
    """Whether the same request may go well later: the server is away or overloaded, not unwilling."""
    import botocore.exceptions as botocore

    response = getattr(error, "response", None)
    if isinstance(error, botocore.ClientError) and isinstance(response, dict):
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return status >= 500 or code_of(error) in _PASSING
    return not isinstance(error, botocore.NoCredentialsError | botocore.ParamValidationError)
