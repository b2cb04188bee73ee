"""The S3 client: settings, patience with an outage, and errors that say what to do next."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from retrieval.errors import ConfigError, StorageError
from retrieval.extras import need
from retrieval.s3.checksums import WHEN_REQUIRED, checksum_options, own_endpoint
from retrieval.s3.failures import Failure, may_pass
from retrieval.s3.remedies import explanation

PATIENCE_VARIABLE = "S3_PATIENCE_SECONDS"
DEFAULT_REGION = "us-east-1"
_CONNECTIONS = 16
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0
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
        raise ConfigError(
            f"{uri}: not an S3 address; it looks like s3://bucket/folder; a folder here is its path alone"
        )
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
                if not may_pass(error) or time.monotonic() + pause > deadline:
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
        where, config = self.settings.endpoint_url or "AWS", getattr(getattr(self.client, "meta", None), "config", None)
        plain = getattr(config, "request_checksum_calculation", "") == WHEN_REQUIRED
        return explanation(uri, Failure(where, split_uri(uri)[0], error, waited, plain))


def connect(settings: S3Settings) -> S3:
    """A client for a store; no request is made.

    Raises:
        ConfigError: If boto3 is not installed.
    """
    return S3(settings, _client(settings))


@lru_cache(maxsize=8)
def _client(settings: S3Settings) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    need("s3", "S3")
    import botocore.exceptions as botocore

    try:
        client = _made(settings, settings.endpoint_url)
        if settings.endpoint_url is None and (found := checksum_options(client.meta.endpoint_url)):
            client = _made(settings, None, found)  # the endpoint stands in a profile
    except (ValueError, botocore.BotoCoreError) as error:
        raise ConfigError(f"S3: no client can be made ({error}); {_client_remedy(settings, error)}") from error
    return client


def _made(settings: S3Settings, endpoint_url: str | None, checksums: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "max_attempts": 2},  # waiting longer is this module's task
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=_CONNECTIONS,
        **(checksum_options(endpoint_url) if checksums is None else checksums),
    )
    client = boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=settings.region,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key,
        aws_session_token=settings.session_token,
        config=config,
    )
    if own_endpoint(client.meta.endpoint_url):
        client.meta.events.register("before-endpoint-resolution.s3", _follow_no_more)
    return client


def _follow_no_more(model: Any, context: dict[str, Any], **_: object) -> None:  # noqa: ANN401 - botocore's own
    """End botocore's search for a redirected bucket's region, which asks for ever where that is redirected too."""
    if model.name == "HeadBucket":
        context.setdefault("s3_redirect", {})["redirected"] = True


def _client_remedy(settings: S3Settings, error: Exception) -> str:
    if type(error).__name__ == "ProfileNotFound":
        return "correct AWS_PROFILE, or unset it"
    if settings.endpoint_url and "://" not in settings.endpoint_url:
        return f"AWS_ENDPOINT_URL is {settings.endpoint_url}; it begins with http:// or https://"
    if settings.secret_key is None or settings.access_key is None:
        return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, both"
    return "correct AWS_ENDPOINT_URL, AWS_REGION or ~/.aws/config"


def of_client(error: BaseException) -> bool:
    """Whether an error is one of an S3 client, whether or not one is installed."""
    return type(error).__module__.partition(".")[0] == "botocore"
