"""Step: put a kept retriever's models to work on another corpus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from zenml import ArtifactConfig
from zenml.enums import ArtifactType

from retrieval.config.schema import DataConfig
from retrieval.experiments.scoring import index_corpus_file
from retrieval.runtime import choose_runtime
from retrieval.search.retriever import Retriever
from steps.library_step import library_step


@library_step
def index_corpus(
    retriever: Retriever, corpus: str, inputs: str, data: DataConfig, precision: str, threads: int
) -> Annotated[Retriever, ArtifactConfig(name="other_corpus_retriever", artifact_type=ArtifactType.MODEL)]:
    """Clean, cut, segment, embed and index a corpus file.

    Args:
        retriever: Its models and settings are taken.
        corpus: File (cid,text).
        inputs: Fingerprint of the file.
        data: Passage lengths, duplicates and workers.
        precision: Of the arithmetic.
        threads: Compute threads; 0 takes one a core.
    """
    here = replace(retriever, runtime=choose_runtime(precision, threads))
    lengths = (data.passage_tokens, data.passage_overlap_tokens)
    return index_corpus_file(here, Path(corpus), data.duplicates, *lengths, data.workers)
