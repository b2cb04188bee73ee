"""Step: clean every text and cut articles into passages that fit the first-stage model."""

from __future__ import annotations

from typing import Annotated

from retrieval.data.preparation import clean_and_cut
from retrieval.records import Dataset
from steps.library_step import library_step


@library_step
def preprocess_text(
    raw_dataset: Dataset, base: str, base_inputs: str, passage_tokens: int, overlap_tokens: int
) -> Annotated[Dataset, "cut_dataset"]:
    """Clean and cut.

    Args:
        raw_dataset: As read.
        base: Model whose tokens are counted.
        base_inputs: Fingerprint of the base, so that another tokenizer cuts again.
        passage_tokens: Longest passage.
        overlap_tokens: Tokens shared by neighbouring pieces of one long khoản.
    """
    return clean_and_cut(raw_dataset, base, passage_tokens, overlap_tokens)
