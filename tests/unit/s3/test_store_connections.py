"""A store that cannot be talked to, or settings that make no client, are told at once and without the secret."""

from __future__ import annotations

import pytest

from retrieval.errors import ConfigError, StorageError
from retrieval.s3.client import S3Settings, connect, settings_from_environment
from retrieval.s3.objects import get_bytes
from tests.helpers.strange_store import (
    SECRET,
    refusal,
    strange_store,
)


def test_no_credentials_is_told_at_once():
    with strange_store() as store, pytest.raises(StorageError, match=r"no credentials for .*set AWS_ACCESS_KEY_ID"):
        get_bytes(connect(S3Settings(store.url, patience_seconds=600)), "s3://law/x")


def test_a_bucket_that_cannot_be_is_told_at_once():
    with strange_store() as store, pytest.raises(StorageError, match=r"no S3 request can be made of this \(.*bucket"):
        get_bytes(store.client(600), "s3://Luật lao động/x")


def test_https_where_there_is_only_http_is_told_at_once():
    with strange_store() as store, pytest.raises(StorageError, match=r"by TLS .*write http:// in AWS_ENDPOINT_URL"):
        get_bytes(connect(S3Settings(store.url.replace("http", "https"), "us-east-1", "a", "b", None, 600)), "s3://l/x")


def test_a_host_without_a_name_is_told_to_be_corrected():
    settings = S3Settings("http://nowhere.invalid:9000", "us-east-1", "a", "b", None, 0)
    with pytest.raises(StorageError, match=r"cannot be reached .*correct AWS_ENDPOINT_URL|cannot be reached"):
        get_bytes(connect(settings), "s3://law/x")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"AWS_ENDPOINT_URL": "localhost:9000"}, "AWS_ENDPOINT_URL is localhost:9000; it begins with http://"),
        ({"AWS_PROFILE": "nobody"}, "correct AWS_PROFILE"),
        ({"AWS_ACCESS_KEY_ID": "only-half"}, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, both"),
    ],
)
def test_settings_that_make_no_client_are_one_line(monkeypatch, variables, message):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message):
        connect(settings_from_environment())


def test_no_message_shows_the_secret():
    refused = strange_store(lambda _: refusal(403, "SignatureDoesNotMatch", "no"))
    with refused as store, pytest.raises(StorageError) as caught:
        get_bytes(store.client(), "s3://law/x")
    assert SECRET not in str(caught.value)
