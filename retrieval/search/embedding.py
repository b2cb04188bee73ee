"""Vectors of a whole corpus: one for each passage and one for each title."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.data.fields import passage_texts, query_texts, title_texts
from retrieval.models.encoder import BiEncoder
from retrieval.records import Corpus, Query
from retrieval.runtime import Runtime


@dataclass(frozen=True)
class CorpusVectors:
    """Unit vectors of a corpus.

    Attributes:
        passages: (P, D) float32.
        titles: (C, D) float32, or (0, D) where the corpus has no titles.
    """

    passages: NDArray[np.float32]
    titles: NDArray[np.float32]


def embed_corpus(encoder: BiEncoder, corpus: Corpus, runtime: Runtime) -> CorpusVectors:
    """Encode every passage and title of a corpus, showing one progress bar."""
    kind = encoder.settings.text_kind
    passages = encoder.encode_passages(passage_texts(corpus, kind), runtime, label="embed passages")
    titles = title_texts(corpus, kind)
    empty = np.zeros((0, passages.shape[1]), dtype=np.float32)
    return CorpusVectors(passages, encoder.encode_passages(titles, runtime) if titles else empty)


def embed_queries(encoder: BiEncoder, queries: list[Query], runtime: Runtime) -> NDArray[np.float32]:
    """(Q, D) unit vectors of queries."""
    return encoder.encode_queries(query_texts(queries, encoder.settings.text_kind), runtime)
