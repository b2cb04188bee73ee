"""Token vectors of the corpus after frozen layers, left on this disk by the first step that makes them."""

from __future__ import annotations

from pathlib import Path

from retrieval.models.encoder import BiEncoder
from retrieval.models.reranker import CrossEncoder
from retrieval.models.split import TokenStates
from retrieval.records import Dataset
from retrieval.runtime import Runtime
from retrieval.search.embedding import corpus_states

HIDDEN_STATES = Path(".cache/hidden-states")
"""A step that does not find them there, on another machine for example, makes them again."""


def known_states(
    reranker: CrossEncoder, bi_encoder: BiEncoder, dataset: Dataset, runtime: Runtime
) -> TokenStates | None:
    """The corpus after the layers with which a reranker that comes from a bi-encoder reads texts apart, if any."""
    layers = reranker.settings.separate_layers
    return corpus_states(bi_encoder, dataset.corpus, layers, runtime, HIDDEN_STATES.absolute())
