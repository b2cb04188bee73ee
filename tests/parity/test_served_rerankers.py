"""The cross-encoder service with rerankers that run as transformers' own classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deployment.engine.loading import reranking_engine
from deployment.settings import ServingSettings
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.label_values import KnownValues
from retrieval.models.cross_encoder import load_cross_encoder
from retrieval.runtime import Runtime
from tests.helpers.foreign_rerankers import write_causal, write_classifier

QUERY = "nghỉ hằng năm bao nhiêu ngày"
DOCUMENTS = ["thuê nhà", ("Điều 113. Nghỉ hằng năm", "Người lao động được nghỉ."), "nhân dân"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["modernbert", "qwen3-reranker"])
async def test_the_service_scores_as_the_model_does(tmp_path, kind):
    if kind == "qwen3-reranker":
        write_causal(tmp_path / kind)
    else:
        write_classifier(tmp_path / kind, kind)
    model = load_cross_encoder(tmp_path / kind)
    model.save(tmp_path / "saved")
    pairs = [(QUERY, document) for document in DOCUMENTS]
    expected = model.score(pairs, Runtime(torch.device("cpu"), torch.float32, 1))
    settings = ServingSettings(bundle=str(tmp_path / "saved"), cache=tmp_path / "cache", precision="float32", threads=1)
    engine = reranking_engine(settings, EndpointMetrics("test", KnownValues(actions=("rerank",))))
    try:
        await engine.warm_up()
        scored = await engine.score(QUERY, DOCUMENTS)
    finally:
        await engine.close()
    np.testing.assert_allclose(scored.logits, expected, atol=1e-5)
    np.testing.assert_allclose(scored.scores, 1 / (1 + np.exp(-expected)), atol=1e-5)
