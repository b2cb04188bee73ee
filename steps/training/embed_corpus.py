"""Step: vectors of every passage and title, by the trained encoder or by the untouched one it started from."""

from __future__ import annotations

from typing import Annotated

from retrieval.config import BiEncoderConfig
from retrieval.models.encoder import BiEncoder, bi_encoder_from
from retrieval.records import Dataset
from retrieval.runtime import choose_runtime
from retrieval.search.embedding import CorpusVectors
from retrieval.search.embedding import embed_corpus as embed
from steps.library_step import library_step


@library_step
def embed_corpus(
    dataset: Dataset, bi_encoder: BiEncoder, precision: str, threads: int
) -> Annotated[CorpusVectors, "corpus_vectors"]:
    """Embed with the trained encoder."""
    return embed(bi_encoder, dataset.corpus, choose_runtime(precision, threads))


@library_step
def embed_corpus_untouched(
    dataset: Dataset, config: BiEncoderConfig, base_inputs: str, precision: str, threads: int
) -> Annotated[CorpusVectors, "untouched_vectors"]:
    """Embed with the encoder as it is before training, for the baseline.

    Args:
        dataset: Its corpus is embedded.
        config: Names the base.
        base_inputs: Fingerprint of the base.
        precision: Of the arithmetic.
        threads: Compute threads; 0 takes one a core.
    """
    return embed(bi_encoder_from(config), dataset.corpus, choose_runtime(precision, threads))
