"""Workers over a tiny bundle: answers, errors, cold start; jobs run by RunPod's own SDK."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deployment.bundle.format import Bundle
from deployment.engine import reranking
from deployment.engine.embedding import EmbeddingEngine
from deployment.engine.precomputed_states import precomputed_states
from deployment.runpod import bi_encoder, cross_encoder
from deployment.runpod.worker import Endpoint, Worker, run_worker
from retrieval.errors import ConfigError
from retrieval.runtime import Runtime
from tests.helpers.metric_values import value_of
from tests.helpers.tiny_bundle import QUESTION
from tests.unit.deployment.runpod.worker_jobs import PAIR, error_of, jobs, settings


def test_all_actions_of_the_bi_encoder_answer_with_what_they_were_made_by(
    embedder: Worker[EmbeddingEngine], bundle: Bundle
) -> None:
    one, many, found = (
        result["output"]
        for result in jobs(
            embedder,
            {"action": "embed", "text": QUESTION},
            {"action": "batch_embed", "texts": [QUESTION, "Khoản 1"]},
            {"action": "search", "question": QUESTION, "top_k": 3},
        )
    )
    assert len(one["embedding"]) == one["dimension"] == 32
    np.testing.assert_allclose(many["embeddings"][0], one["embedding"], atol=1e-5)
    assert many["count"] == 2
    assert [article["rank"] for article in found["results"]] == [1, 2, 3]
    for output in (one, many, found):
        assert output["index_version"] == bundle.facts.index
        assert output["cost"]["machine"] == "local"
        assert output["timings_ms"]["total"] > 0


def test_all_actions_of_the_cross_encoder_give_the_same_score(bundle: Bundle) -> None:
    worker = Worker(cross_encoder.ENDPOINT, settings(bundle.folder))
    documents = [{"id": "a", "text": "Cá nhân có quyền."}, {"id": "b", "text": PAIR["document"], "metadata": {"n": 1}}]
    ranked, pair, pairs = (
        result["output"]
        for result in jobs(
            worker,
            {"action": "rerank", "query": QUESTION, "documents": documents, "top_n": 2},
            {"action": "score_pair", **PAIR},
            {"action": "batch_score", "pairs": [PAIR, PAIR]},
        )
    )
    score = next(result["score"] for result in ranked["results"] if result["id"] == "b")
    assert pair["score"] == pytest.approx(score, abs=1e-5)
    assert pairs["scores"] == pytest.approx([score, score], abs=1e-5)


def test_the_first_answer_alone_tells_the_cold_start(embedder: Worker[EmbeddingEngine]) -> None:
    first, second = (
        jobs(embedder, {"action": "embed", "text": QUESTION})[0]["output"],
        jobs(embedder, {"action": "embed", "text": QUESTION})[0]["output"],
    )
    told = first["cold_start"]
    assert set(told) == {f"{lap}_seconds" for lap in ("imports", "fetch", "load", "warm_up", "total")}
    assert told["total_seconds"] == pytest.approx(sum(told.values()) - told["total_seconds"], abs=0.01)
    assert told["load_seconds"] > 0
    assert "cold_start" not in second
    assert value_of(embedder.metrics, "endpoint_cold_starts_total") == 1.0


def test_jobs_that_run_together_share_forwards_and_none_is_refused(bundle: Bundle) -> None:
    worker = Worker(bi_encoder.ENDPOINT, settings(bundle.folder, queue_tokens=1, deadline_seconds=0.001))
    jobs(worker, {"action": "embed", "text": QUESTION})
    before = value_of(worker.metrics, "endpoint_batch_size_count")
    results = jobs(worker, *[{"action": "batch_embed", "texts": [QUESTION] * 4}] * 16)
    assert all("output" in result for result in results)
    forwards = value_of(worker.metrics, "endpoint_batch_size_count") - before
    assert forwards < 16


def test_a_wrong_job_is_an_error_with_its_code_and_spoils_no_other(embedder: Worker[EmbeddingEngine]) -> None:
    good = {"action": "embed", "text": QUESTION}
    wrong = [{"action": "dance"}, {"action": "embed"}, {"action": "embed", "text": ""}, {"text": QUESTION}, None, "x",
             {"action": "embed", "text": "a\ud800"}, {"action": "embed", "text": "x" * 20_001}]  # fmt: skip
    results = jobs(embedder, good, *wrong, good)
    assert "embedding" in results[0]["output"]
    assert "embedding" in results[-1]["output"]
    for result in results[1:-1]:
        told = error_of(result)
        assert told["code"] == "invalid_input"
        assert "Traceback" not in told["message"]
        assert "stopPod" not in result


def test_an_accident_that_leaves_the_model_sound_keeps_the_worker(bundle: Bundle) -> None:
    async def stumble(*_: object) -> dict[str, Any]:
        raise RuntimeError("secret detail")

    base = bi_encoder.ENDPOINT
    worker = Worker(Endpoint(base.name, base.actions, base.load, stumble, base.probe), settings(bundle.folder))
    result = jobs(worker, {"action": "embed", "text": QUESTION})[0]
    told = error_of(result)
    assert told["code"] == "internal"
    assert "secret detail" not in told["message"]
    assert "stopPod" not in result


def test_an_answer_that_json_cannot_say_is_an_error_too(bundle: Bundle) -> None:
    async def numpy_answer(*_: object) -> dict[str, Any]:
        return {"score": np.float32(1.0)}

    base = bi_encoder.ENDPOINT
    worker = Worker(Endpoint(base.name, base.actions, base.load, numpy_answer, base.probe), settings(bundle.folder))
    assert error_of(jobs(worker, {"action": "embed", "text": QUESTION})[0])["code"] == "internal"


def test_a_published_model_alone_embeds_and_says_that_it_cannot_search(bundle: Bundle) -> None:
    worker = Worker(bi_encoder.ENDPOINT, settings(bundle.folder / "bi-encoder"))
    embedded, searched = jobs(worker, {"action": "embed", "text": QUESTION}, {"action": "search", "question": QUESTION})
    assert embedded["output"]["model_version"] == "run-1"
    assert error_of(searched)["code"] == "invalid_input"
    assert "no index" in error_of(searched)["message"]


def test_a_machine_without_a_price_is_refused_at_once(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="machine: got 'abacus'"):
        Worker(bi_encoder.ENDPOINT, settings(bundle.folder, machine="abacus"))


def test_a_wrong_variable_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RETRIEVER_JOBS", "many")
    monkeypatch.setenv("RUNPOD_LOG_LEVEL", "INFO")
    assert run_worker(bi_encoder.ENDPOINT) == 2
    assert capsys.readouterr().err.startswith("error: RETRIEVER_JOBS: ")


def test_the_first_answer_tells_what_is_missing_of_the_law_and_what_is_made_later_is_used(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reranking, "_LOOK_AGAIN_SECONDS", 0.01)
    worker = Worker(cross_encoder.ENDPOINT, settings(bundle.folder, states=tmp_path))
    first, second = (jobs(worker, {"action": "score_pair", **PAIR})[0]["output"] for _ in range(2))
    assert first["passage_states"]["of"] == 24
    assert first["passage_states"]["known"] == 0
    assert "passage_states" not in second
    assert worker.engine is not None
    runtime = Runtime(torch.device("cpu"), torch.float32, 1)
    precomputed_states(bundle, bundle.cross_encoder(), runtime, tmp_path, make=True)
    while worker.engine.passage_states.status != "known":
        time.sleep(0.01)
    after = jobs(worker, {"action": "score_pair", **PAIR})[0]["output"]
    assert after["score"] == pytest.approx(first["score"], abs=2e-3)
    asyncio.run(worker.engine.close())
