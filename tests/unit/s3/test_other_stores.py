"""Stores of other makers: they work where they can, and else one line names what mends it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import boto3
import pytest

from retrieval.errors import ArtifactError, ConfigError, StorageError
from retrieval.folders import MANIFEST, write_folder
from retrieval.s3 import client, objects
from retrieval.s3.checksums import REQUEST_CHECKSUMS, RESPONSE_CHECKSUMS, checksum_options, suit_other_clients
from retrieval.s3.client import S3Settings, connect, settings_from_environment
from retrieval.s3.folders import download_folder, pull_folder, upload_folder
from retrieval.s3.objects import copy_object, get_bytes, put_bytes, put_file, sizes_below
from tests.helpers.strange_store import SECRET, Answer, Request, refusal, strange_store, without_checksums

OWN = "https://minio.example:9000"


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch, tmp_path) -> Iterator[None]:
    for name in (*os.environ,):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it has read another profile
    client._client.cache_clear()
    yield
    client._client.cache_clear()


@pytest.fixture
def folder(tmp_path):
    with write_folder(tmp_path / "folder") as staging:
        (staging / "a.json").write_text("{}\n")
        (staging / "weights.bin").write_bytes(os.urandom(10 << 20))
    return tmp_path / "folder"


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


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(301, "", "text/html"), r"another region .*set AWS_REGION"),
        (Answer(307, "<html></html>", "text/html"), r"answers PutObject with HTTP 307 without S3's words"),
        (
            Answer(
                301,
                "<Error><Code>PermanentRedirect</Code><Message>m</Message><Endpoint>s3.hn.vn</Endpoint></Error>",
                "application/xml",
            ),
            r"sends requests on to s3\.hn\.vn \(HTTP 301\); set AWS_ENDPOINT_URL",
        ),
        (Answer(413, "<html></html>", "text/html"), r"no request of this size \(HTTP 413\).*client_max_body_size"),
        (refusal(400, "EntityTooLarge", "no"), r"no request of this size \(EntityTooLarge: no\)"),
        (refusal(403, "QuotaExceeded", "full"), r"no room left for this \(QuotaExceeded: full\); remove what"),
        (refusal(400, "InvalidBucketName", "no"), r"correct S3_BUCKET"),
        (refusal(403, "AccountProblem", "no"), r"AccountProblem: no; mend that at the store"),
        (Answer(502, "<html></html>", "text/html"), r"the proxy before the store does not reach it; start the store"),
        (refusal(503, "SlowDown", "no"), r"answers SlowDown after 0.1 s of retries: it has too much to do; run again"),
        (refusal(507, "XMinioStorageFull", "no"), r"no room left for this .* after 0.1 s of retries; remove what"),
    ],
)  # fmt: skip
def test_every_answer_to_a_write_is_said_with_what_mends_it(answer, message):
    with strange_store(lambda _: answer) as store, pytest.raises(StorageError, match=message) as caught:
        put_bytes(store.client(0.1), b"x", "s3://law/x")
    assert "\n" not in str(caught.value)


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


def without_parts(request: Request) -> Answer | None:
    """A store that takes and copies objects only whole."""
    if "uploads" in request.query or "uploadId" in request.query:
        return refusal(501, "NotImplemented", "no multipart here")
    return None


def test_a_store_that_takes_no_parts_is_sent_large_files_whole(folder):
    with strange_store(without_parts) as store:
        put_file(store.client(), folder / "weights.bin", "s3://law/w")
        assert store.objects["/law/w"] == (folder / "weights.bin").read_bytes()
        copy_object(store.client(), "s3://law/w", "s3://law/copy")
        assert store.objects["/law/copy"] == store.objects["/law/w"]


def test_a_request_that_a_store_does_not_know_is_named_at_once(monkeypatch):
    monkeypatch.setattr(objects, "_MOST_AT_ONCE_BYTES", 0)
    with (
        strange_store(without_parts) as store,
        pytest.raises(StorageError, match=r"does not know the request CreateMultipartUpload .*update the store"),
    ):
        objects.put_memory(store.client(60), [b"x" * (9 << 20)], "s3://law/x")


def listing_in_the_first_form(request: Request) -> Answer | None:
    if "list-type" in request.query:
        return Answer(
            200, "<ListBucketResult><IsTruncated>true</IsTruncated><NextMarker>m</NextMarker></ListBucketResult>"
        )
    return None


def test_a_store_that_lists_only_in_the_first_form_is_named():
    with strange_store(listing_in_the_first_form) as store, pytest.raises(StorageError, match="know ListObjectsV2"):
        sizes_below(store.client(), "s3://law/f")


PAGE = "<!doctype html><html><body>Sign in<br></body></html>"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(200, PAGE, "text/html"), r"answers ListObjectsV2 with a page, so it is no S3.*not its console's 9001"),
        (Answer(403, PAGE, "text/html"), r"answers ListObjectsV2 with HTTP 403 without S3's words"),
        (Answer(404, PAGE, "text/html"), r"answers ListObjectsV2 with HTTP 404 without.*check AWS_ENDPOINT_URL"),
        (Answer(400, "Client sent an HTTP request to an HTTPS server.", "text/plain"), r"HTTP 400.*http or https"),
        (Answer(404, "<html><body>gone</body></html>", "text/html"), r"HTTP 404 without S3's words"),
        (refusal(403, "RequestTimeTooSkewed", "too large"), r"clock and the server's differ.*timedatectl set-ntp true"),
        (
            refusal(400, "AuthorizationHeaderMalformed", "the region is wrong; expecting 'vn-hcm'"),
            r"another region .*set AWS_REGION=vn-hcm",
        ),
        (refusal(301, "PermanentRedirect", "use the right endpoint"), r"set AWS_REGION=THE_BUCKETS_REGION"),
        (
            refusal(403, "SecondLevelDomainForbidden", "Please use virtual hosted style to access."),
            r"wants the bucket's name in the host's .*addressing_style virtual",
        ),
        (refusal(501, "NotImplemented", "no"), r"does not know the request ListObjectsV2"),
        (refusal(405, "MethodNotAllowed", "no"), r"does not know the request ListObjectsV2"),
        (refusal(400, "ExpiredToken", "old"), r"have expired; renew .*AWS_SESSION_TOKEN"),
        (refusal(403, "AccessDenied", "no"), r"check AWS_ACCESS_KEY_ID .*that the account may ListObjectsV2"),
        (refusal(404, "NoSuchBucket", "no"), r"has no bucket law; make it with"),
        (refusal(412, "PreconditionFailed", "If-Match"), r"refuses the request: PreconditionFailed: If-Match"),
    ],
)  # fmt: skip
def test_what_a_store_answers_is_said_with_the_step_that_mends_it(answer, message):
    odd = strange_store(lambda one: answer if one.method == "GET" else None)
    with odd as store, pytest.raises(StorageError, match=message) as caught:
        sizes_below(store.client(600), "s3://law/f")  # a long patience is not used up
    assert "\n" not in str(caught.value)
    assert not caught.value.away


def test_a_page_that_is_well_formed_is_no_empty_list():
    page = Answer(200, "<html><body>Sign in</body></html>", "text/html; charset=utf-8")
    with (
        strange_store(lambda _: page) as store,
        pytest.raises(StorageError, match="s3://law/f: a web page came in the place of a list; check AWS_ENDPOINT_URL"),
    ):
        sizes_below(store.client(), "s3://law/f")


def test_a_page_in_the_place_of_an_object_is_no_manifest(tmp_path):
    answer = Answer(200, PAGE, "text/html")
    with (
        strange_store(lambda one: answer if one.path.endswith(MANIFEST) else None) as store,
        pytest.raises(ArtifactError, match=r"manifest\.json: not a manifest but a web page; check AWS_ENDPOINT_URL"),
    ):
        download_folder(store.client(), "s3://law/f", tmp_path / "f")


@pytest.mark.parametrize(
    ("folder_holds", "message"),
    [
        ([], "nothing is there: correct the address"),
        (
            ["config.json", "w.bin"],
            r"it holds config\.json, w\.bin: it is none of this project, or its writing was cut",
        ),
        (["1/manifest.json", "1/x"], r"it holds 1/manifest\.json, 1/x: name a folder in it, such as s3://law/f/1"),
    ],
)
def test_a_folder_without_manifest_is_told_by_what_it_holds(tmp_path, folder_holds, message):
    with strange_store() as store:
        store.objects |= {f"/law/f/{name}": b"{}" for name in folder_holds}
        with pytest.raises(ArtifactError, match=rf"^s3://law/f: no manifest\.json; {message}"):
            download_folder(store.client(), "s3://law/f", tmp_path / "f")


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
