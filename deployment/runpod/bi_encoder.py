"""``python -m deployment.runpod.bi_encoder``: a RunPod worker that embeds, and searches where it has a bundle."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from deployment.api.compatible.handlers import bi_encoder_route
from deployment.api.handlers import BI_ENCODER_ACTIONS, bi_encoder_action
from deployment.api.requests import LAW, QUESTION
from deployment.engine.embedding import EmbeddingEngine
from deployment.engine.loading import embedding_engine
from deployment.runpod.openai_route import with_routes
from deployment.runpod.worker import Endpoint, run_worker
from retrieval.names import BI_ENCODER


async def probe(engine: EmbeddingEngine) -> NDArray[np.float32]:
    """Vectors of a question and of a piece of law."""
    embedded = [await engine.embed([QUESTION], "query"), await engine.embed([LAW], "passage")]
    return np.concatenate([one.vectors for one in embedded])


_act = with_routes(bi_encoder_action, bi_encoder_route)
ENDPOINT = Endpoint(BI_ENCODER, BI_ENCODER_ACTIONS, embedding_engine, _act, probe)


if __name__ == "__main__":
    sys.exit(run_worker(ENDPOINT))
