"""Step: refuse a dataset that does not hold together, and count what it holds."""

from __future__ import annotations

from typing import Annotated

from retrieval.data.validation import ValidationReport, validate_dataset
from retrieval.records import Dataset
from steps.library_step import library_step


@library_step
def validate_data(
    dataset: Dataset, source_name: str, corpus_name: str = "", first_negative: int = 2
) -> Annotated[ValidationReport, "validation_report"]:
    """Check and count; errors begin with ``source_name``, those about articles with ``corpus_name`` if there is one.

    Args:
        dataset: Split.
        source_name: Of the questions.
        corpus_name: Of the corpus, where that is another file.
        first_negative: Rank from which hard negatives are taken.
    """
    return validate_dataset(dataset, source_name, corpus_name, first_negative)
