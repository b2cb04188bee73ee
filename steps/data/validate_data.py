"""Step: refuse a dataset that does not hold together, and count what it holds."""

from __future__ import annotations

from typing import Annotated

from retrieval.data.validation import ValidationReport, validate_dataset
from retrieval.records import Dataset
from steps.library_step import library_step


@library_step
def validate_data(
    dataset: Dataset, source_name: str, corpus_name: str = ""
) -> Annotated[ValidationReport, "validation_report"]:
    """Check and count; errors begin with ``source_name``, those about articles with ``corpus_name`` if there is one."""
    return validate_dataset(dataset, source_name, corpus_name)
