"""Both services as clients use them: what comes back is what the models give, and every answer says what it cost."""

from __future__ import annotations

import base64

import httpx
import numpy as np
import pytest
import torch

from deployment.bundle.format import Bundle
from retrieval.processes.servers import LocalServer
from retrieval.runtime import Runtime
from retrieval.search.rerank import sigmoid
from tests.helpers.metric_values import scraped
from tests.helpers.tiny_bundle import QUESTION

RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)
TEXTS = ["Người lao động được nghỉ hằng năm.", "  cá nhân có   quyền\u200b dân sự  ", "toà án nhân dân " * 40]
SERVED = {
    "model", "model_version", "index_version", "timings_ms", "tokens", "truncated", "truncated_count", "cost",
}  # fmt: skip


def ask(server: LocalServer, path: str, **payload: object) -> dict:
    answer = httpx.post(f"{server.url}{path}", json=payload, timeout=60)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found.keys() >= SERVED
    assert found["timings_ms"].keys() == {"queue", "tokenise", "infer", "total"}
    assert found["cost"]["machine"] == "local"
    assert found["cost"]["worker_seconds"] > 0
    assert found["truncated_count"] == sum(found["truncated"])
    return found


def test_embeddings_are_those_of_the_model_whichever_way_they_are_asked_for(
    bi_encoder: LocalServer, bundle: Bundle
) -> None:
    encoder = bundle.bi_encoder()
    clean = ["Người lao động được nghỉ hằng năm.", "cá nhân có quyền dân sự", ("tòa án nhân dân " * 40).strip()]
    expected = encoder.encode_passages(clean, RUNTIME)
    batch = ask(bi_encoder, "/infer", action="batch_embed", texts=TEXTS, input_type="passage")
    np.testing.assert_allclose(batch["embeddings"], expected, atol=1e-5)
    assert (batch["dimension"], batch["count"]) == (32, 3)
    assert batch["truncated"] == [False, False, True]
    assert batch["index_version"] == bundle.facts.index
    assert batch["encode_time_ms"] > 0
    one = ask(bi_encoder, "/infer", action="embed", text=TEXTS[0], input_type="passage")
    np.testing.assert_allclose(one["embedding"], expected[0], atol=1e-5)
    floats = ask(bi_encoder, "/v1/embeddings", input=TEXTS, input_type="passage", model="any")
    np.testing.assert_allclose([item["embedding"] for item in floats["data"]], expected, atol=1e-5)
    packed = ask(bi_encoder, "/v1/embeddings", input=TEXTS, input_type="passage", encoding_format="base64")
    vectors = [np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in packed["data"]]
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    assert packed["usage"]["prompt_tokens"] == packed["tokens"]
    question = ask(bi_encoder, "/infer", action="embed", text=QUESTION)
    np.testing.assert_allclose(question["embedding"], encoder.encode_queries([QUESTION], RUNTIME)[0], atol=1e-5)


def test_a_search_finds_what_the_first_stage_finds(bi_encoder: LocalServer, bundle: Bundle) -> None:
    expected = bundle.retriever(RUNTIME, rerank=False).search(QUESTION, 4)
    found = ask(bi_encoder, "/infer", action="search", question=QUESTION, top_k=4)
    assert [one["cid"] for one in found["results"]] == [one.article.cid for one in expected]
    assert [one["rank"] for one in found["results"]] == [1, 2, 3, 4]
    assert found["results"][0]["law"] == "Bộ luật thử"
    assert found["results"][0]["snippet"] == expected[0].snippet


def test_scores_are_those_of_the_model_in_float32_and_documents_come_back_best_first(
    cross_encoder: LocalServer, bundle: Bundle
) -> None:
    texts = ["Người lao động được nghỉ hằng năm.", "cá nhân có quyền dân sự", "hợp đồng lao động"]
    logits = bundle.cross_encoder().score([(QUESTION, text) for text in texts], RUNTIME)
    documents = [{"id": number, "text": text, "metadata": {"n": number}} for number, text in enumerate(texts)]
    found = ask(cross_encoder, "/infer", action="rerank", query=QUESTION, documents=documents, top_n=2)
    order = np.argsort(-logits)[:2].tolist()
    assert [one["index"] for one in found["results"]] == order
    assert [one["id"] for one in found["results"]] == order
    assert found["results"][0]["metadata"] == {"n": order[0]}
    np.testing.assert_allclose([one["score"] for one in found["results"]], sigmoid(logits)[order], atol=1e-5)
    pairs = [{"query": QUESTION, "document": text} for text in texts]
    batch = ask(cross_encoder, "/infer", action="batch_score", pairs=pairs)
    np.testing.assert_allclose(batch["logits"], logits, atol=1e-4)
    one = ask(cross_encoder, "/infer", action="score_pair", query=QUESTION, document=texts[1])
    assert one["score"] == pytest.approx(sigmoid(logits)[1], abs=1e-5)
    cohere = ask(cross_encoder, "/v1/rerank", query=QUESTION, documents=texts, top_n=1, return_documents=True)
    assert cohere["results"] == [
        {
            "index": order[0],
            "relevance_score": pytest.approx(float(sigmoid(logits).max())),
            "document": {"text": texts[order[0]]},
        }
    ]


def test_a_title_is_read_before_the_text(cross_encoder: LocalServer, bundle: Bundle) -> None:
    document = {"title": "Nghỉ hằng năm", "text": "Người lao động được nghỉ."}
    found = ask(cross_encoder, "/v1/rerank", query=QUESTION, documents=[document])
    logit = bundle.cross_encoder().score([(QUESTION, ("Nghỉ hằng năm", "Người lao động được nghỉ."))], RUNTIME)
    assert found["results"][0]["relevance_score"] == pytest.approx(float(sigmoid(logit)[0]), abs=1e-5)


def test_metrics_count_what_was_asked(cross_encoder: LocalServer) -> None:
    before = httpx.get(f"{cross_encoder.url}/metrics").text
    ask(cross_encoder, "/infer", action="score_pair", query=QUESTION, document="hợp đồng")
    after = httpx.get(f"{cross_encoder.url}/metrics").text
    asked = {"action": "score_pair", "status": "200"}
    assert scraped(after, "endpoint_requests_total", **asked) == scraped(before, "endpoint_requests_total", **asked) + 1
    assert scraped(after, "endpoint_cold_starts_total") == 1


def test_ready_says_what_is_served_and_answers_carry_security_headers(bi_encoder: LocalServer, bundle: Bundle) -> None:
    answer = httpx.get(f"{bi_encoder.url}/ready")
    assert answer.json()["versions"]["index"] == bundle.facts.index
    assert answer.json()["cold_start_seconds"] > 0
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers
    assert (
        "access-control-allow-origin"
        not in httpx.get(f"{bi_encoder.url}/ready", headers={"origin": "https://a"}).headers
    )


def test_the_openapi_document_has_an_example_of_every_action(
    bi_encoder: LocalServer, cross_encoder: LocalServer
) -> None:
    for server, count in ((bi_encoder, 3), (cross_encoder, 3)):
        paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
        examples = paths["/infer"]["post"]["requestBody"]["content"]["application/json"]["examples"]
        assert len(examples) == count
        for example in examples.values():
            ask(server, "/infer", **example["value"])
