"""Step: read law and questions from their source."""

from __future__ import annotations

from typing import Annotated

from retrieval.config.schema import DataConfig
from retrieval.data.sources.ingest import ingest
from retrieval.records import Dataset
from steps.library_step import library_step


@library_step
def ingest_articles(config: DataConfig, seed: int, inputs: str) -> Annotated[Dataset, "raw_dataset"]:
    """Read articles and queries.

    Args:
        config: Source, files and weak supervision.
        seed: Draws the weak queries.
        inputs: Fingerprint of the input files, so that a changed file is read again.
    """
    return ingest(config, seed)
