"""Both services over HTTP in the shapes of others: addresses, keys, sizes, and what is handed back."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest
from starlette.testclient import TestClient

from deployment.bi_encoder_service.app import make_app as bi_encoder_app
from deployment.bundle.format import Bundle
from deployment.cross_encoder_service.app import make_app as cross_encoder_app
from deployment.settings import read_settings
from tests.helpers.tiny_bundle import QUESTION
from tests.unit.deployment.gateway.ready import wait_until_ready

KEY = "a-key-of-this-test-0123456789"
TEXTS = ["Người lao động được nghỉ hằng năm.", "cá nhân có quyền dân sự"]
LONG = "toà án nhân dân " * 100
Start = Callable[..., TestClient]


@pytest.fixture(scope="module")
def start(bundle: Bundle) -> Iterator[Start]:
    with ExitStack() as opened:

        def started(make_app, **given: object) -> TestClient:
            settings = read_settings({}, bundle=str(bundle.folder), precision="float32", threads=1, **given)
            client = opened.enter_context(TestClient(make_app(settings)))
            wait_until_ready(client)
            return client

        yield started


@pytest.fixture(scope="module")
def bi_encoder(start: Start) -> TestClient:
    return start(bi_encoder_app)


@pytest.fixture(scope="module")
def cross_encoder(start: Start) -> TestClient:
    return start(cross_encoder_app)


def vectors(client: TestClient, path: str = "/v1/embeddings", **more: object) -> np.ndarray:
    answer = client.post(path, json={"model": "any", "input": TEXTS, **more})
    assert answer.status_code == 200, answer.text
    return np.array([one["embedding"] for one in answer.json()["data"]])


def ranked(client: TestClient, path: str = "/v1/rerank", **more: object) -> dict:
    answer = client.post(path, json={"model": "any", "query": QUESTION, "documents": TEXTS, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: TestClient, path: str, **payload: object) -> str:
    answer = client.post(path, json=payload)
    assert answer.status_code == 422, answer.text
    return answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["dimensions", "output_dimension"])
def test_the_models_own_size_is_taken_and_another_refused_with_the_size_there_is(bi_encoder, name):
    assert len(refused(bi_encoder, "/v1/embeddings", input=TEXTS, **{name: 1e308})) < 120
    for size in (32, 32.0, None):
        assert vectors(bi_encoder, **{name: size}).shape == (2, 32)
    for size in (16, 33, 1536):
        message = refused(bi_encoder, "/v1/embeddings", input=TEXTS, **{name: size})
        assert message == f"{name} is {size}; this model gives 32, so send that or leave it out"


def test_the_openapi_document_tells_the_one_size_and_every_address(bi_encoder, cross_encoder):
    document = bi_encoder.get("/openapi.json").json()
    sizes = document["components"]["schemas"]["EmbeddingsIn"]["properties"]["dimensions"]["anyOf"]
    assert sizes[0]["const"] == 32
    assert {"/v1/embeddings", "/v1/models", "/v1/models/{model_id}"} <= document["paths"].keys()
    assert {"/v1/rerank", "/v2/rerank", "/v1/models"} <= cross_encoder.get("/openapi.json").json()["paths"].keys()


def test_blank_chunks_and_any_script_are_embedded_with_finite_numbers(bi_encoder, cross_encoder):
    strange = [" ", "\n", "---", "…", "👍", "第三条", "연차", "\u200b", "<b></b>"]
    found = vectors(bi_encoder, input=[*TEXTS, *strange])
    assert found.shape == (11, 32)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(found[:2], vectors(bi_encoder), atol=1e-5)  # the others are as without them
    scores = {
        one["index"]: one["relevance_score"] for one in ranked(cross_encoder, documents=[*TEXTS, *strange])["results"]
    }
    assert sorted(scores) == list(range(11))
    assert all(0.0 < score < 1.0 for score in scores.values())
    assert ranked(cross_encoder, query="第三条")["results"]


def test_base64_holds_the_same_numbers_and_normalized_changes_unit_vectors_in_nothing(bi_encoder):
    plain = vectors(bi_encoder)
    answer = bi_encoder.post("/v1/embeddings", json={"input": TEXTS, "encoding_format": "base64"}).json()
    packed = [np.frombuffer(base64.b64decode(one["embedding"]), "<f4") for one in answer["data"]]
    np.testing.assert_allclose(packed, plain, atol=1e-6)
    np.testing.assert_allclose(vectors(bi_encoder, normalized=True), plain, atol=1e-6)


def test_a_long_text_is_cut_unless_the_client_forbids_it(bi_encoder, cross_encoder):
    assert vectors(bi_encoder, input=[TEXTS[0], LONG]).shape == (2, 32)
    assert "input.1 is longer than the " in refused(
        bi_encoder, "/v1/embeddings", input=[TEXTS[0], LONG], truncate=False
    )
    assert refused(bi_encoder, "/v1/embeddings", input=LONG, truncation=False).startswith("input is longer than the ")
    ranked(cross_encoder, documents=[LONG])
    message = refused(cross_encoder, "/v1/rerank", query="nghỉ", documents=["phép", LONG], truncation=False)
    assert message.startswith("documents.1 is longer than the ")


@pytest.mark.parametrize("path", ["/embeddings", "/v1/embeddings"])
def test_embeddings_are_answered_at_every_address_that_clients_ask(bi_encoder, path):
    np.testing.assert_array_equal(vectors(bi_encoder, path), vectors(bi_encoder))


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank"])
def test_reranking_is_answered_at_every_address_that_clients_ask(cross_encoder, path):
    found, usual = ranked(cross_encoder, path, top_n=1), ranked(cross_encoder, top_n=1)
    assert found["results"] == usual["results"]
    assert found["id"] != usual["id"]
    assert found["meta"] == {
        "api_version": {"version": "2"}, "tokens": {"input_tokens": found["usage"]["prompt_tokens"]}
    }  # fmt: skip


def test_documents_are_handed_back_as_they_were_sent(cross_encoder):
    documents = [{"text": TEXTS[0], "source": "luật", "page": 3}, TEXTS[1]]
    results = ranked(cross_encoder, documents=documents, return_documents=True)["results"]
    assert {one["index"]: one["document"] for one in results} == {0: documents[0], 1: {"text": TEXTS[1]}}
    for not_asked in (False, None):
        assert "document" not in ranked(cross_encoder, return_documents=not_asked)["results"][0]


def test_raw_scores_are_logits_in_the_same_order(cross_encoder):
    plain, raw = ranked(cross_encoder)["results"], ranked(cross_encoder, raw_scores=True)["results"]
    assert [one["index"] for one in raw] == [one["index"] for one in plain]
    logits = np.array([one["relevance_score"] for one in raw])
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), [one["relevance_score"] for one in plain], atol=1e-6)


@pytest.mark.parametrize(
    ("make_app", "name"), [(bi_encoder_app, "legal-bi-encoder"), (cross_encoder_app, "legal-cross-encoder")]
)
def test_the_model_is_listed_behind_the_same_keys_as_the_rest(start, make_app, name):
    client, keyed = start(make_app, api_keys=(KEY,)), {"authorization": f"Bearer {KEY}"}
    for path in ("/v1/models", "/models", f"/v1/models/{name}"):
        assert client.get(path).status_code == 401
    listed = client.get("/v1/models", headers=keyed).json()
    (model,) = listed["data"]
    assert listed["object"] == "list"
    assert (model["id"], model["object"], model["owned_by"]) == (name, "model", "legal-retriever")
    assert model["created"] > 1_700_000_000
    assert client.get("/models", headers=keyed).json() == listed
    assert client.get(f"/v1/models/{name}", headers=keyed).json() == model
    answer = client.get("/v1/models/gpt-4o", headers=keyed)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert answer.json()["error"]["message"] == f"model 'gpt-4o' is not served here; {name} is"


def test_a_list_as_long_as_openai_takes_fits_and_a_body_over_the_limit_is_told_its_name(bi_encoder):
    texts = [f"{n} {'quyền ' * 330}" for n in range(2048)]  # 2,000 characters each, as a client escapes them
    assert len(str(texts).encode()) < 8 << 20
    answer = bi_encoder.post("/v1/embeddings", content=b"[" * ((8 << 20) + 1))
    assert answer.status_code == 413
    assert "8,388,608 bytes, the limit of RETRIEVER_MAX_BODY_BYTES; send fewer texts at once" in answer.text


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json"])
def test_json_is_read_under_every_name_it_has_with_or_without_a_byte_order_mark(bi_encoder, kind):
    for mark in (b"", b"\xef\xbb\xbf"):
        answer = bi_encoder.post("/v1/embeddings", content=mark + b'{"input": "a"}', headers={"content-type": kind})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "json"]
)
def test_a_body_called_something_else_than_json_is_told_which_header_to_send(bi_encoder, kind):
    answer = bi_encoder.post("/v1/embeddings", content=b'{"input": "a"}', headers={"content-type": kind})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed")
    assert answer.json()["error"]["message"] == (
        f"the body's Content-Type is {kind}; send JSON with Content-Type: application/json"
    )


def test_a_body_without_a_content_type_is_told_which_to_send(bi_encoder):
    answer = bi_encoder.post("/v1/embeddings", content=b'{"input": "a"}')
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == (
        "the body's Content-Type is missing; send JSON with Content-Type: application/json"
    )


def test_a_compressed_body_is_told_to_be_sent_as_it_is(bi_encoder):
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = bi_encoder.post("/v1/embeddings", content=gzip.compress(b'{"input": "a"}'), headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == (
        "the body's Content-Encoding is gzip; send it as it is, not compressed"
    )


def test_what_is_asked_of_the_wrong_service_is_told_what_this_one_answers(bi_encoder, cross_encoder):
    told = bi_encoder.post("/v1/rerank", json={}).json()["error"]["message"]
    assert told.startswith("/v1/rerank: nothing is here; the bi-encoder answers /infer, /v1/embeddings, /v1/models")
    told = cross_encoder.post("/v1/embeddings", json={}).json()["error"]["message"]
    assert "the cross-encoder answers /infer, /v1/rerank, /v2/rerank, /v1/models" in told
