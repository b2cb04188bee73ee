"""Step: vectors of every passage and title, by the trained encoder or by the pretrained one it started from."""

from __future__ import annotations

from typing import Annotated

from retrieval.config.schema import BiEncoderConfig
from retrieval.models.bi_encoder import BiEncoder, bi_encoder_from
from retrieval.paths import HIDDEN_STATES
from retrieval.records import Corpus, Dataset
from retrieval.runtime import Runtime, choose_runtime
from retrieval.search.embedding import CorpusVectors, corpus_states
from retrieval.search.embedding import embed_corpus as embed
from steps.library_step import library_step


@library_step
def embed_corpus(
    dataset: Dataset, bi_encoder: BiEncoder, shared_layers: int, precision: str, threads: int
) -> Annotated[CorpusVectors, "corpus_vectors"]:
    """Embed with the trained encoder.

    Args:
        dataset: Its corpus is embedded.
        bi_encoder: Trained.
        shared_layers: How many lowest layers it has in common with the pretrained one; they are run once for both.
        precision: Of the arithmetic.
        threads: Compute threads; 0 takes one a core.
    """
    return _embed(bi_encoder, dataset.corpus, shared_layers, choose_runtime(precision, threads))


@library_step
def embed_corpus_pretrained(
    dataset: Dataset,
    config: BiEncoderConfig,
    base_inputs: str,
    shared_layers: int,
    precision: str,
    threads: int,
) -> Annotated[CorpusVectors, "pretrained_vectors"]:
    """Embed with the encoder as it is before training, for the baseline.

    Args:
        dataset: Its corpus is embedded.
        config: Names the base.
        base_inputs: Fingerprint of the base.
        shared_layers: The same of the trained one.
        precision: Of the arithmetic.
        threads: Compute threads; 0 takes one a core.
    """
    return _embed(bi_encoder_from(config), dataset.corpus, shared_layers, choose_runtime(precision, threads))


def _embed(encoder: BiEncoder, corpus: Corpus, shared_layers: int, runtime: Runtime) -> CorpusVectors:
    states = corpus_states(encoder, corpus, shared_layers, runtime, HIDDEN_STATES.absolute())
    return embed(encoder, corpus, runtime, states)
