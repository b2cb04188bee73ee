"""Where token vectors of a corpus lie on this disk: named by the model's lower layers and the texts they have read."""

from __future__ import annotations

from pathlib import Path

from retrieval.data.fields import passage_texts, title_texts
from retrieval.models.backbone.batch_inference import Rows
from retrieval.models.bi_encoder import BiEncoder
from retrieval.models.frozen_layers import states_key
from retrieval.records import Corpus
from retrieval.runtime import Runtime


def states_file(encoder: BiEncoder, corpus: Corpus, layers: int, runtime: Runtime, folder: Path) -> Path:
    """Where `embedding.corpus_states` keeps what it gives."""
    return file_of_rows(
        encoder, [row for part in corpus_rows(encoder, corpus) for row in part], layers, runtime, folder
    )


def file_of_rows(encoder: BiEncoder, rows: Rows, layers: int, runtime: Runtime, folder: Path) -> Path:
    """Where token vectors of some rows of token ids are kept."""
    return folder / f"{states_key(encoder.backbone, rows, layers, runtime)}.npy"


def corpus_rows(encoder: BiEncoder, corpus: Corpus) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids of every passage and of every title, if there are titles."""
    kind = encoder.settings.text_kind
    titles = title_texts(corpus, kind)
    return encoder.tokenize_passages(passage_texts(corpus, kind)), encoder.tokenize_passages(titles)
