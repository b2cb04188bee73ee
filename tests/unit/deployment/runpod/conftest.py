"""A worker of the bi-encoder over the tiny bundle."""

from __future__ import annotations

import pytest

from deployment.bundle.format import Bundle
from deployment.engine.embedding import EmbeddingEngine
from deployment.runpod import bi_encoder
from deployment.runpod.worker import Worker
from tests.unit.deployment.runpod.worker_jobs import settings


@pytest.fixture
def embedder(bundle: Bundle) -> Worker[EmbeddingEngine]:
    return Worker(bi_encoder.ENDPOINT, settings(bundle.folder))
