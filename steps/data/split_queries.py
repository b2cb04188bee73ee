"""Step: train, validation and test, leaking nothing."""

from __future__ import annotations

from typing import Annotated

from retrieval.config.schema import DataConfig
from retrieval.data.splits import split_queries as split
from retrieval.records import Dataset
from steps.library_step import library_step


@library_step
def split_queries(segmented_dataset: Dataset, config: DataConfig, seed: int) -> Annotated[Dataset, "dataset"]:
    """Give every query a split."""
    return split(segmented_dataset, config, seed)
