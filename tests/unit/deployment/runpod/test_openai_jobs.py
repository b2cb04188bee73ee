"""Jobs of RunPod's OpenAI address are answered, and refused, in OpenAI's shape."""

from __future__ import annotations

import numpy as np
import pytest

from deployment.bundle.format import Bundle
from deployment.engine.embedding import EmbeddingEngine
from deployment.runpod import cross_encoder
from deployment.runpod.worker import Worker
from tests.helpers.tiny_bundle import QUESTION
from tests.unit.deployment.runpod.worker_jobs import PAIR, error_of, jobs, settings


def test_jobs_of_the_openai_address_get_openais_shape_and_nothing_around_it(
    embedder: Worker[EmbeddingEngine], bundle: Bundle
) -> None:
    asked = {"openai_route": "/v1/embeddings", "openai_input": {"model": "m", "input": [QUESTION, "---"], "user": None}}
    routed, listed, other, plain = (
        result["output"]
        for result in jobs(
            embedder,
            {**asked, "openai_input": {**asked["openai_input"], "dimensions": 32}},
            {"openai_route": "/v1/models", "openai_input": None},
            {"openai_route": "openai/v1/models/legal-bi-encoder"},
            {"openai_route": None, "action": "embed", "text": QUESTION},
        )
    )
    assert routed["object"] == listed["object"] == "list"
    assert [one["index"] for one in routed["data"]] == [0, 1]
    np.testing.assert_allclose(routed["data"][0]["embedding"], plain["embedding"], atol=1e-5)
    assert listed["data"] == [other]
    assert other["id"] == "legal-bi-encoder"
    assert not [one for one in (routed, listed, other) if "cold_start" in one]

    ranker = Worker(cross_encoder.ENDPOINT, settings(bundle.folder))
    payload = {"query": QUESTION, "documents": ["Cá nhân có quyền.", PAIR["document"]], "top_n": 1}
    found = [jobs(ranker, {"openai_route": path, "openai_input": payload})[0] for path in ("/v1/rerank", "v2/rerank")]
    assert [set(one["output"]["results"][0]) for one in found] == [{"index", "relevance_score"}] * 2
    (ranking_model,) = jobs(ranker, {"openai_route": "/v1/models"})[0]["output"]["data"]
    assert ranking_model["id"] == "legal-cross-encoder"


@pytest.mark.parametrize(
    ("route", "given", "code", "message"),
    [
        (
            "/v1/embeddings",
            {"input": QUESTION, "dimensions": 7},
            "invalid_input",
            "dimensions is 7; this model gives 32",
        ),
        ("/v1/embeddings", {"input": [[1, 2]]}, "invalid_input", "input holds token ids"),
        ("/v1/embeddings", {"input": [QUESTION, ""]}, "invalid_input", "input.1 is empty"),
        ("/v1/embeddings", None, "invalid_input", "input is missing"),
        ("/v1/embeddings", "text", "invalid_input", "openai_input is text; send the request's body, an object"),
        ("/v1/embeddings", [], "invalid_input", "openai_input is a list; send the request's body, an object"),
        ("/v1/embeddings", "", "invalid_input", "openai_input is text; send the request's body, an object"),
        ("/v1/embeddings", 0, "invalid_input", "openai_input is a number; send the request's body, an object"),
        ("/v1/embeddings", False, "invalid_input", "openai_input is true or false; send the request's body, an object"),
        (None, None, "invalid_input", "the body has no action; send one of 'embed', 'batch_embed', 'search'"),
        ("/v1/chat/completions", {}, "not_found", "ask /v1/embeddings, /v1/models"),
        (5, {}, "invalid_input", "openai_route is a number; send a path such as /v1/models"),
    ],
)
def test_a_wrong_job_of_the_openai_address_is_told_as_over_http(
    embedder: Worker[EmbeddingEngine], route: object, given: object, code: str, message: str
) -> None:
    told = error_of(jobs(embedder, {"openai_route": route, "openai_input": given})[0])
    assert told["code"] == code
    assert message in told["message"]
