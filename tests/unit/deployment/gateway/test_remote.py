"""The two services as the gateway asks them: what it sends, and what it makes of every kind of answer."""

import asyncio
import json

import httpx
import pytest

from deployment.errors import NotReady, Overloaded, UpstreamFault
from deployment.gateway.remote import RemoteFirstStage, RemoteReranker
from deployment.gateway.stages import Document, RerankFault
from tests.helpers.tiny_bundle import tiny_corpus

CORPUS = tiny_corpus()
DOCUMENTS = [Document("1/2020/QH14:1", "Điều 1", "một"), Document("1/2020/QH14:2", "", "hai")]
COMPONENTS = {
    "bm25": None, "bm25_scaled": 0.0, "dense": 0.5, "dense_scaled": 1.0, "passage": 0.5, "title": None, "hybrid": 0.7,
}  # fmt: skip
HIT = {"cid": "1/2020/QH14:1", "score": 0.7, "snippet": "một", "components": COMPONENTS, "more": "is let pass"}


def reranker(answer):
    return RemoteReranker("http://reranker", "key-of-the-services", 0.2, httpx.MockTransport(answer))


def first_stage(answer):
    return RemoteFirstStage("http://bi", "", CORPUS, "index-1", 0.2, httpx.MockTransport(answer))


def scored(*pairs):
    return {"results": [{"index": index, "score": score} for index, score in pairs]}


def test_scores_come_back_in_the_order_of_the_documents_and_the_request_says_all_there_is_to_say():
    seen = []

    def answer(request):
        seen.append(request)
        return httpx.Response(200, json=scored((1, 0.9), (0, 0.2)))

    assert asyncio.run(reranker(answer).score("hỏi", DOCUMENTS, 0.4)) == [0.2, 0.9]
    (request,) = seen
    assert request.url == "http://reranker/infer"
    assert request.headers["authorization"] == "Bearer key-of-the-services"
    assert request.headers["x-deadline-seconds"] == "0.400"
    assert json.loads(request.content) == {
        "action": "rerank",
        "query": "hỏi",
        "documents": [
            {"id": "1/2020/QH14:1", "title": "Điều 1", "text": "một"},
            {"id": "1/2020/QH14:2", "title": "", "text": "hai"},
        ],
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>garbage</html>",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b'{"results": {}}',
        b'{"results": []}',
        json.dumps(scored((0, 0.5))).encode(),
        json.dumps(scored((0, 0.5), (0, 0.5))).encode(),
        json.dumps(scored((0, 0.5), (7, 0.5))).encode(),
        json.dumps(scored((0, 0.5), (1, 0.5), (1, 0.6))).encode(),
        json.dumps(scored((0, 0.5), (1, 1.5))).encode(),
        b'{"results": [{"index": 0, "score": NaN}, {"index": 1, "score": 0.5}]}',
        b'{"results": [{"index": 0, "score": null}, {"index": 1, "score": 0.5}]}',
        b'{"results": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
)
def test_garbage_from_the_reranker_is_a_fault_and_never_a_score(content):
    with pytest.raises(RerankFault) as fault:
        asyncio.run(reranker(lambda _: httpx.Response(200, content=content)).score("hỏi", DOCUMENTS, 0.4))
    assert fault.value.reason == "bad_answer"


@pytest.mark.parametrize(
    ("status", "reason"), [(429, "overloaded"), (500, "down"), (503, "down"), (301, "down"), (401, "down")]
)
def test_a_reranker_that_refuses_says_why(status, reason):
    with pytest.raises(RerankFault) as fault:
        asyncio.run(reranker(lambda _: httpx.Response(status)).score("hỏi", DOCUMENTS, 0.4))
    assert fault.value.reason == reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx.ConnectError, "down"),
        (httpx.ReadTimeout, "slow"),
        (httpx.RemoteProtocolError, "down"),
        (httpx.PoolTimeout, "slow"),
    ],
)
def test_a_reranker_that_is_away_or_hangs_is_told_apart(error, reason):
    def answer(_):
        raise error("as told")

    with pytest.raises(RerankFault) as fault:
        asyncio.run(reranker(answer).score("hỏi", DOCUMENTS, 0.4))
    assert fault.value.reason == reason


def test_the_first_stage_gives_articles_of_the_gateways_own_law():
    content = {"index_version": "index-1", "results": [HIT]}
    (found,) = asyncio.run(first_stage(lambda _: httpx.Response(200, json=content)).search("hỏi", 5))
    assert found.article is CORPUS.articles[0]
    assert (found.score, found.first_stage.hybrid, found.first_stage.bm25) == (0.7, 0.7, None)


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (httpx.Response(200, json={"index_version": "index-2", "results": []}), UpstreamFault, "same bundle"),
        (
            httpx.Response(200, json={"index_version": "index-1", "results": [HIT | {"cid": "x"}]}),
            UpstreamFault,
            "shape",
        ),
        (httpx.Response(200, json={"index_version": "index-1", "results": [{}]}), UpstreamFault, "shape"),
        (httpx.Response(200, content=b"\xff"), UpstreamFault, "shape"),
        (httpx.Response(500, json={"error": {"code": "internal", "message": "secret"}}), UpstreamFault, "500"),
        (httpx.Response(429, headers={"retry-after": "7"}), Overloaded, "429"),
        (httpx.Response(503, headers={"retry-after": "soon"}), NotReady, "503"),
    ],
)
def test_what_the_first_stage_cannot_answer_is_refused_with_its_status(answer, error, said):
    with pytest.raises(error, match=said) as refusal:
        asyncio.run(first_stage(lambda _: answer).search("hỏi", 5))
    assert "secret" not in str(refusal.value)
    assert refusal.value.retry_after_seconds == (7.0 if error is Overloaded else None)


def test_a_first_stage_that_is_away_is_an_upstream_fault():
    def answer(_):
        raise httpx.ConnectError("as told")

    with pytest.raises(UpstreamFault, match="ConnectError"):
        asyncio.run(first_stage(answer).search("hỏi", 5))
