"""Keys of the models' sections and what reads them."""

from __future__ import annotations

from retrieval.config.models import ReadBy
from retrieval.config.schema import BiEncoderConfig

BASE, TRAINING = (set(BiEncoderConfig.keys_read_by(reader)) for reader in (ReadBy.BASE, ReadBy.TRAINING))


def test_every_key_of_the_bi_encoder_is_marked_with_exactly_one_reader() -> None:
    assert not BASE & TRAINING
    assert set(BiEncoderConfig.model_fields) == BASE | TRAINING


def test_what_decides_the_vectors_before_training_is_marked_as_the_base() -> None:
    assert {
        "base", "layers", "pooling", "normalize", "query_prefix", "passage_prefix", "max_query_tokens",
        "max_passage_tokens",
    } == BASE  # fmt: skip


def test_the_weight_of_title_queries_is_training_alone() -> None:
    assert "title_query_weight" in TRAINING
