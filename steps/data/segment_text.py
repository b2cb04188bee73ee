"""Step: PyVi word segmentation of passages, titles and queries."""

from __future__ import annotations

from typing import Annotated

from retrieval.data.segmentation import segment_dataset
from retrieval.records import Dataset
from steps.library_step import library_step


@library_step
def segment_text(cut_dataset: Dataset, workers: int) -> Annotated[Dataset, "segmented_dataset"]:
    """Segment with ``workers`` processes; 0 takes one a core."""
    return segment_dataset(cut_dataset, workers)
