"""Checksums are sent where a store knows them; a store that refuses them is met, or one line names what mends it."""

from __future__ import annotations

import os

import boto3
import pytest

from retrieval.errors import ArtifactError, StorageError
from retrieval.s3.checksums import REQUEST_CHECKSUMS, RESPONSE_CHECKSUMS, checksum_options, suit_other_clients
from retrieval.s3.client import S3Settings, connect
from retrieval.s3.folders import pull_folder, upload_folder
from retrieval.s3.objects import put_bytes
from tests.helpers.strange_store import (
    refusal,
    strange_store,
    without_checksums,
    without_parts,
)

OWN = "https://minio.example:9000"


def test_a_store_that_knows_no_checksum_headers_takes_and_gives_a_folder(folder, tmp_path):
    with strange_store(lambda one: without_checksums(one) or without_parts(one)) as store:
        upload_folder(store.client(), folder, "s3://law/f")
        assert pull_folder(store.client(), "s3://law/f", tmp_path / "back")
    assert (tmp_path / "back/weights.bin").read_bytes() == (folder / "weights.bin").read_bytes()


def test_what_such_a_store_gives_altered_is_still_found_out(folder, tmp_path):
    with strange_store(lambda one: without_checksums(one) or without_parts(one)) as store:
        upload_folder(store.client(), folder, "s3://law/f")
        store.objects["/law/f/a.json"] = b"[]\n"
        with pytest.raises(ArtifactError, match=r"s3://law/f/a\.json: SHA-256"):
            pull_folder(store.client(), "s3://law/f", tmp_path / "back")


def test_where_the_user_wants_checksums_the_refusal_names_the_variable(monkeypatch):
    monkeypatch.setenv(REQUEST_CHECKSUMS, "when_supported")
    with strange_store(without_checksums) as store, pytest.raises(StorageError) as caught:
        put_bytes(store.client(), b"x", "s3://law/x")
    assert f"s3://law/x: {store.url} refuses the request's checksum (InvalidArgument: Unsupported" in str(caught.value)
    assert f"set {REQUEST_CHECKSUMS}=when_required and run again" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "XAmzContentSHA256Mismatch", "The provided header does not match what was computed."),
        (501, "NotImplemented", "A header implies functionality that is not implemented: x-amz-trailer"),
        (400, "InvalidRequest", "aws-chunked encoding is not supported"),
        (400, "InvalidArgument", "x-amz-sdk-checksum-algorithm"),
        (403, "AccessDenied", "unsigned x-amz-checksum-crc32"),
    ],
)
def test_every_way_of_refusing_checksums_is_known(monkeypatch, status, code, message):
    monkeypatch.setenv(REQUEST_CHECKSUMS, "when_supported")
    with (
        strange_store(lambda _: refusal(status, code, message)) as store,
        pytest.raises(StorageError, match=f"{REQUEST_CHECKSUMS}=when_required"),
    ):
        put_bytes(store.client(), b"x", "s3://law/x")


@pytest.mark.parametrize(
    ("status", "code"),
    [(501, "NotImplemented"), (411, "MissingContentLength"), (400, "BadDigest"), (400, "IncompleteBody")],
)
def test_a_write_refused_without_naming_checksums_names_the_variable_where_they_are_sent(monkeypatch, status, code):
    words = "A header you provided implies functionality that is not implemented."
    monkeypatch.setenv(REQUEST_CHECKSUMS, "when_supported")
    with (
        strange_store(lambda _: refusal(status, code, words)) as store,
        pytest.raises(StorageError, match=f"{REQUEST_CHECKSUMS}=when_required"),
    ):
        put_bytes(store.client(), b"x", "s3://law/x")
    monkeypatch.delenv(REQUEST_CHECKSUMS)
    with strange_store(lambda _: refusal(status, code, words)) as store, pytest.raises(StorageError) as caught:
        put_bytes(store.client(), b"x", "s3://law/x")
    assert REQUEST_CHECKSUMS not in str(caught.value)


def test_a_store_that_refuses_them_although_none_is_sent_is_to_be_updated():
    with (
        strange_store(lambda _: refusal(400, "XAmzContentSHA256Mismatch", "no")) as store,
        pytest.raises(StorageError, match=f"although {REQUEST_CHECKSUMS} is when_required; update the store"),
    ):
        put_bytes(store.client(), b"x", "s3://law/x")


@pytest.mark.parametrize(
    ("endpoint", "left_out"),
    [
        (OWN, True),
        ("http://127.0.0.1:9000", True),
        ("https://s3.us-west-004.backblazeb2.com", True),
        ("https://storage.googleapis.com", True),
        (None, False),
        ("", False),
        ("https://s3.eu-central-1.amazonaws.com", False),
        ("https://bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com", False),
        ("https://s3.cn-north-1.amazonaws.com.cn", False),
    ],
)
def test_checksums_are_left_out_at_other_endpoints_than_amazons(endpoint, left_out):
    chosen = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
    assert checksum_options(endpoint) == (chosen if left_out else {})


def test_what_the_user_chose_stays(monkeypatch, tmp_path):
    monkeypatch.setenv(RESPONSE_CHECKSUMS, "when_supported")
    assert checksum_options(OWN) == {"request_checksum_calculation": "when_required"}
    (tmp_path / "aws-config").write_text("[default]\nrequest_checksum_calculation = when_supported\n")
    assert checksum_options(OWN) == {}
    suit_other_clients(OWN)
    assert REQUEST_CHECKSUMS not in os.environ
    assert os.environ[RESPONSE_CHECKSUMS] == "when_supported"


def test_an_endpoint_in_a_profile_counts_too(tmp_path):
    (tmp_path / "aws-config").write_text(f"[default]\nendpoint_url = {OWN}\n")
    s3 = connect(S3Settings(None, "us-east-1", "a", "b"))
    assert s3.client.meta.endpoint_url == OWN
    assert s3.client.meta.config.request_checksum_calculation == "when_required"
    assert connect(S3Settings(OWN, "us-east-1", "a", "c")).client.meta.config.request_checksum_calculation == (
        "when_required"
    )


def test_the_clients_of_zenml_and_mlflow_leave_out_the_same(monkeypatch):
    for name in (REQUEST_CHECKSUMS, RESPONSE_CHECKSUMS):
        monkeypatch.setenv(name, "")  # so that what is set below is taken back
    suit_other_clients(OWN)
    with strange_store(without_checksums) as store:
        other = boto3.client("s3", endpoint_url=store.url, aws_access_key_id="a", aws_secret_access_key="b")
        other.put_object(Bucket="law", Key="x", Body=b"x")
        assert store.objects["/law/x"] == b"x"
