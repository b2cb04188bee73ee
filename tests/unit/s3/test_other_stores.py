"""Stores of other makers: they work where they can, and else one line names what mends it."""

from __future__ import annotations

import pytest

from retrieval.errors import ArtifactError, StorageError
from retrieval.folders import MANIFEST
from retrieval.s3 import objects
from retrieval.s3.folders import download_folder
from retrieval.s3.objects import copy_object, put_bytes, put_file, sizes_below
from tests.helpers.strange_store import (
    Answer,
    Request,
    refusal,
    strange_store,
    without_parts,
)

PAGE = "<!doctype html><html><body>Sign in<br></body></html>"


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
