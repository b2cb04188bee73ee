"""Sections cut to what a step reads."""

from __future__ import annotations

import pytest

from pipelines.inputs import ingest_section, split_section, without
from retrieval.config.models import ReadBy
from retrieval.config.schema import BiEncoderConfig, DataConfig, EvaluationConfig, TrainingConfig


def test_keys_that_are_left_out_are_back_at_their_defaults_and_the_others_stay() -> None:
    section = EvaluationConfig(failed_cases=3, reranked_queries=4)
    assert without(section, "failed_cases") == EvaluationConfig(reranked_queries=4)


def test_a_misspelt_key_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^EvaluationConfig has no key question; did you mean questions\?$"):
        without(EvaluationConfig(), "output", "question")


def test_the_untrained_encoder_depends_on_no_key_of_the_training() -> None:
    section = BiEncoderConfig(
        layers=3, title_query_weight=2.0, trained_share=0.5, training=TrainingConfig(epochs=7), passage_choice="overlap"
    )
    assert without(section, *section.keys_read_by(ReadBy.TRAINING)) == BiEncoderConfig(layers=3)


def test_reading_depends_on_no_split_and_splitting_on_no_passage_length() -> None:
    section = DataConfig(passage_tokens=99, train_share=0.5, clause_queries=4)
    assert ingest_section(section) == DataConfig(clause_queries=4)
    assert split_section(section) == DataConfig(train_share=0.5)
