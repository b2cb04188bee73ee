"""Vectors of a whole corpus: one for each passage and one for each title."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.data.fields import passage_texts, query_texts, title_texts
from retrieval.models.backbone.batch_inference import Rows
from retrieval.models.bi_encoder import BiEncoder
from retrieval.models.frozen_layers import (
    SplitEncoder,
    TokenStates,
    can_be_cut,
    kept_lower_layers,
    read_lower_layers,
    states_key,
)
from retrieval.records import Corpus, Query
from retrieval.runtime import Runtime
from retrieval.search.state_files import make_room, needed_files


@dataclass(frozen=True)
class CorpusVectors:
    """Unit vectors of a corpus.

    Attributes:
        passages: (P, D) float32.
        titles: (C, D) float32, or (0, D) where the corpus has no titles.
    """

    passages: NDArray[np.float32]
    titles: NDArray[np.float32]


def embed_corpus(
    encoder: BiEncoder, corpus: Corpus, runtime: Runtime, states: TokenStates | None = None
) -> CorpusVectors:
    """Encode every passage and title of a corpus, showing one progress bar.

    Args:
        encoder: Whose vectors are wanted.
        corpus: Cut, and segmented if the encoder reads segmented text.
        runtime: Where to compute.
        states: The corpus's token vectors after the encoder's lowest layers; the other layers go on from there.
    """
    source = encoder if states is None else SplitEncoder(encoder, (states,))
    passages, titles = _rows(encoder, corpus)
    vectors = source.encode_rows([*passages, *titles], runtime, label="embed corpus")
    return CorpusVectors(vectors[: len(passages)], vectors[len(passages) :])


def corpus_states(
    encoder: BiEncoder,
    corpus: Corpus,
    layers: int,
    runtime: Runtime,
    folder: Path | None,
    label: str | None = "read corpus",
) -> TokenStates | None:
    """Token vectors of a corpus's passages and titles after an encoder's lowest layers.

    Args:
        encoder: Whose layers are run.
        corpus: Cut, and segmented if the encoder reads segmented text.
        layers: How many layers; with 0 nothing is worth keeping and the answer is None, as of a backbone that cannot be
            cut.
        runtime: Where to compute.
        folder: Keeps them for the next caller with the same weights and texts (`kept_states` says how long); None keeps
            nothing.
        label: Name of the progress bar; None shows none.
    """
    rows = [row for part in _rows(encoder, corpus) for row in part]
    return _states(encoder, rows, layers, runtime, folder, label, needed_files)


def kept_corpus_states(
    encoder: BiEncoder, corpus: Corpus, layers: int, runtime: Runtime, folder: Path
) -> TokenStates | None:
    """What `corpus_states` kept, mapped; None where it kept nothing. Nothing is made, which would take minutes."""
    if not can_be_cut(encoder.backbone):
        return None
    rows = [row for part in _rows(encoder, corpus) for row in part]
    return kept_lower_layers(encoder.backbone, rows, layers, _states_file(encoder, rows, layers, runtime, folder))


def query_states(
    encoder: BiEncoder, queries: Sequence[Query], layers: int, runtime: Runtime, folder: Path | None
) -> TokenStates | None:
    """Token vectors of queries after an encoder's lowest layers; arguments and answer as of `corpus_states`."""
    rows = encoder.tokenize_queries(query_texts(queries, encoder.settings.text_kind))
    return _states(encoder, rows, layers, runtime, folder, None, lambda _: ())


def _states(
    encoder: BiEncoder,
    rows: Rows,
    layers: int,
    runtime: Runtime,
    folder: Path | None,
    label: str | None,
    needed: Callable[[Path], Collection[str]],
) -> TokenStates | None:
    if layers == 0 or not can_be_cut(encoder.backbone):
        return None
    file = _states_file(encoder, rows, layers, runtime, folder) if folder else None
    new = file is not None and not file.exists()
    states = read_lower_layers(encoder.backbone, rows, layers, runtime, file, label)
    if new and file is not None and file.is_file():
        make_room(file, lambda: needed(file.parent))
    return states


def states_file(encoder: BiEncoder, corpus: Corpus, layers: int, runtime: Runtime, folder: Path) -> Path:
    """Where `corpus_states` keeps what it gives."""
    return _states_file(encoder, [row for part in _rows(encoder, corpus) for row in part], layers, runtime, folder)


def _states_file(encoder: BiEncoder, rows: Rows, layers: int, runtime: Runtime, folder: Path) -> Path:
    return folder / f"{states_key(encoder.backbone, rows, layers, runtime)}.npy"


def _rows(encoder: BiEncoder, corpus: Corpus) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids of every passage and of every title, if there are titles."""
    kind = encoder.settings.text_kind
    titles = title_texts(corpus, kind)
    return encoder.tokenize_passages(passage_texts(corpus, kind)), encoder.tokenize_passages(titles)


def embed_queries(
    encoder: BiEncoder, queries: Sequence[Query], runtime: Runtime, states: TokenStates | None = None
) -> NDArray[np.float32]:
    """(Q, D) unit vectors of queries.

    Args:
        encoder: Whose vectors are wanted.
        queries: Q of them.
        runtime: Where to compute.
        states: Token vectors of these queries after the encoder's lowest layers; the other layers go on from there.
    """
    source = encoder if states is None else SplitEncoder(encoder, (states,))
    return source.encode_rows(encoder.tokenize_queries(query_texts(queries, encoder.settings.text_kind)), runtime)
