"""``python -m deployment.runpod.cross_encoder``: a RunPod worker that scores questions and documents."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from deployment.api.compatible.handlers import cross_encoder_route
from deployment.api.handlers import CROSS_ENCODER_ACTIONS, cross_encoder_action
from deployment.api.requests import LAW, OTHER_LAW, QUESTION
from deployment.engine.loading import reranking_engine
from deployment.engine.reranking import RerankingEngine
from deployment.runpod.jobs import Output
from deployment.runpod.openai_route import with_routes
from deployment.runpod.worker import Endpoint, run_worker
from retrieval.names import CROSS_ENCODER


async def probe(engine: RerankingEngine) -> NDArray[np.float32]:
    """Scores of two pieces of law."""
    return (await engine.score(QUESTION, [LAW, OTHER_LAW])).scores


def told(engine: RerankingEngine) -> Output:
    """What is known of the law beforehand, where anything can be."""
    states = engine.passage_states
    return {} if states is None else {"passage_states": states.model_dump()}


_act = with_routes(cross_encoder_action, cross_encoder_route)
ENDPOINT = Endpoint(
    CROSS_ENCODER, CROSS_ENCODER_ACTIONS, reranking_engine, _act, probe, RerankingEngine.look_for_law, told
)


if __name__ == "__main__":
    sys.exit(run_worker(ENDPOINT))
