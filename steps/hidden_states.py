"""Token vectors of corpus and held-out queries after frozen layers, kept on this disk for the steps that follow.

A step that does not find them there, on another machine for example, makes them again; services use the corpus's too
(`search.state_files` says what stays).
"""

from __future__ import annotations

from retrieval.experiments.assessment import held_out
from retrieval.models.bi_encoder import BiEncoder
from retrieval.models.cross_encoder import CrossEncoder
from retrieval.models.frozen_layers import TokenStates
from retrieval.paths import HIDDEN_STATES
from retrieval.records import Dataset
from retrieval.runtime import Runtime
from retrieval.search.embedding import corpus_states, query_states


def known_states(
    reranker: CrossEncoder, bi_encoder: BiEncoder, dataset: Dataset, runtime: Runtime
) -> TokenStates | None:
    """The corpus after the layers with which a reranker that comes from a bi-encoder reads texts apart, if any."""
    layers = reranker.settings.separate_layers
    return corpus_states(bi_encoder, dataset.corpus, layers, runtime, HIDDEN_STATES.absolute())


def known_query_states(
    encoder: BiEncoder, dataset: Dataset, title_queries: int, seed: int, layers: int, runtime: Runtime
) -> TokenStates | None:
    """The validation and test queries that are searched for, after an encoder's lowest layers, which are frozen.

    Args:
        encoder: Before or after training.
        dataset: Split.
        title_queries: As `assessment.held_out` takes it.
        seed: The same.
        layers: How many layers; None is answered for 0.
        runtime: Where to compute.
    """
    queries = [query for split in ("validation", "test") for query in held_out(dataset, split, title_queries, seed)]
    return query_states(encoder, queries, layers, runtime, (HIDDEN_STATES / "queries").absolute())
