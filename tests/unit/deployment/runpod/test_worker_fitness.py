"""A worker whose bundle or model is unsound takes no job and is replaced."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from runpod.serverless.modules import rp_fitness

from deployment.bundle.format import Bundle
from deployment.engine.embedding import EmbeddingEngine
from deployment.errors import ServingError
from deployment.runpod import bi_encoder, cross_encoder
from deployment.runpod.worker import Worker
from retrieval.errors import ArtifactError
from tests.helpers.tiny_bundle import QUESTION
from tests.unit.deployment.runpod.worker_jobs import error_of, jobs, settings


def test_a_poisoned_model_has_its_worker_replaced(embedder: Worker[EmbeddingEngine]) -> None:
    jobs(embedder, {"action": "embed", "text": QUESTION})
    assert embedder.engine is not None
    with torch.no_grad():
        for parameter in embedder.engine._encoder.parameters():
            parameter.fill_(float("nan"))
    result = jobs(embedder, {"action": "embed", "text": QUESTION})[0]
    assert error_of(result)["code"] == "model_fault"
    assert result["stopPod"] is True
    with pytest.raises(ServingError, match="answers its own test wrongly"):
        asyncio.run(embedder.fit())


def test_the_fitness_check_passes_on_a_sound_bundle_and_loads_it_for_the_jobs(
    embedder: Worker[EmbeddingEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_checks(embedder, monkeypatch)
    loaded = embedder.engine
    assert loaded is not None
    assert "output" in jobs(embedder, {"action": "embed", "text": QUESTION})[0]
    assert embedder.engine is loaded


def test_one_flipped_byte_ends_the_worker_before_it_takes_a_job(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle.folder, folder)
    weights = folder / "bi-encoder/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    worker = Worker(bi_encoder.ENDPOINT, settings(folder))
    with pytest.raises(ArtifactError, match=r"model\.safetensors: SHA-256"):
        asyncio.run(worker.fit())
    with pytest.raises(SystemExit) as ended:
        run_checks(worker, monkeypatch)
    assert ended.value.code == 1
    result = jobs(worker, {"action": "embed", "text": QUESTION})[0]
    assert error_of(result)["code"] == "not_ready"
    assert result["stopPod"] is True


def run_checks(worker: Worker[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the SDK does before it takes a job."""
    monkeypatch.setenv("RUNPOD_SKIP_GPU_CHECK", "true")
    monkeypatch.setenv("RUNPOD_SKIP_AUTO_SYSTEM_CHECKS", "true")
    rp_fitness.clear_fitness_checks()
    rp_fitness._reset_registration_state()
    rp_fitness.register_fitness_check(worker.fit)
    try:
        asyncio.run(rp_fitness.run_fitness_checks())
    finally:
        rp_fitness.clear_fitness_checks()


def test_a_model_of_the_other_kind_is_refused(bundle: Bundle) -> None:
    worker = Worker(cross_encoder.ENDPOINT, settings(bundle.folder / "bi-encoder"))
    with pytest.raises(ArtifactError, match="holds a bi-encoder, this service needs a cross-encoder"):
        asyncio.run(worker.fit())
