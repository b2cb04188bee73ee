from __future__ import annotations

import numpy as np
import pytest
import torch

from retrieval.config.schema import CrossEncoderConfig
from retrieval.errors import ConfigError, ModelError
from retrieval.models.cross_encoder import cross_encoder_from, load_cross_encoder
from retrieval.models.heads import DenseHead, LinearHead
from tests.helpers.tiny_models import sentences, write_reranker

PAIRS = list(zip(sentences(25, seed=1), sentences(25, seed=2, words=20), strict=True))
CONFIG = CrossEncoderConfig(max_tokens=60, max_query_tokens=20)


@pytest.fixture
def reranker(encoder):
    return cross_encoder_from(CONFIG, encoder)


def test_scores_equal_the_plain_forward_in_the_order_given(reranker, runtime):
    scores = reranker.score(PAIRS, runtime)
    with torch.inference_mode():
        expected = reranker(reranker.tokenize(PAIRS))
    assert scores.shape == (25,)
    assert scores.dtype == np.float32
    assert np.ptp(scores) > 2e-5
    np.testing.assert_allclose(scores, expected.numpy(), atol=2e-6)


def test_no_pairs_are_no_scores(reranker, runtime):
    assert reranker.score([], runtime).shape == (0,)


def test_starting_from_the_bi_encoder_copies_it(encoder, reranker):
    with torch.no_grad():
        reranker.backbone.embeddings.word_embeddings.weight.zero_()
    assert encoder.backbone.embeddings.word_embeddings.weight.abs().sum() > 0
    assert reranker.settings.kind == "cross-encoder"
    assert (reranker.settings.pooling, reranker.settings.query_prefix) == (encoder.settings.pooling, "")


def test_fewer_layers_are_the_lowest_ones_and_the_bi_encoder_keeps_its_own(encoder):
    reranker = cross_encoder_from(CrossEncoderConfig(max_tokens=60, max_query_tokens=20, layers=1), encoder)
    assert len(reranker.backbone.encoder.layer) == 1
    assert len(encoder.backbone.encoder.layer) == 3
    assert torch.equal(
        reranker.backbone.encoder.layer[0].output.dense.weight, encoder.backbone.encoder.layer[0].output.dense.weight
    )


def test_the_fresh_head_is_the_same_whatever_was_drawn_before():
    torch.manual_seed(1)
    first = LinearHead(8)
    torch.manual_seed(2)
    assert torch.equal(first.out.weight, LinearHead(8).out.weight)


def test_a_base_with_a_head_keeps_it(tmp_path, runtime):
    write_reranker(tmp_path / "phoranker")
    loaded = load_cross_encoder(tmp_path / "phoranker")
    config = CrossEncoderConfig(base=str(tmp_path / "phoranker"), max_tokens=62, max_query_tokens=20)
    configured = cross_encoder_from(config)
    assert isinstance(configured.head, DenseHead)
    assert configured.settings.text_kind == "segmented"
    same = [(query[:20], passage) for query, passage in PAIRS]
    np.testing.assert_array_equal(configured.head.out.weight.detach(), loaded.head.out.weight.detach())
    assert np.ptp(configured.score(same, runtime)) > 2e-5


@pytest.mark.parametrize("from_base", [False, True])
def test_a_saved_reranker_gives_the_same_scores_and_settings(encoder, runtime, tmp_path, from_base):
    if from_base:
        write_reranker(tmp_path / "base")
        config = CrossEncoderConfig(base=str(tmp_path / "base"), max_tokens=60, max_query_tokens=20)
        reranker = cross_encoder_from(config)
    else:
        reranker = cross_encoder_from(CONFIG, encoder)
    reranker.save(tmp_path / "kept")
    again = load_cross_encoder(tmp_path / "kept")
    assert again.settings == reranker.settings
    np.testing.assert_array_equal(again.score(PAIRS, runtime), reranker.score(PAIRS, runtime))


def test_missing_bi_encoder_too_many_layers_and_too_long_pairs_are_named(encoder):
    with pytest.raises(ConfigError, match="no bi-encoder is given"):
        cross_encoder_from(CONFIG)
    with pytest.raises(ConfigError, match="got 9, but the bi-encoder has 3"):
        cross_encoder_from(CrossEncoderConfig(max_tokens=60, layers=9), encoder)
    with pytest.raises(ModelError, match="reads at most 64 tokens, but 256 are configured"):
        cross_encoder_from(CrossEncoderConfig(), encoder)


def test_a_head_with_two_labels_and_a_folder_without_head_are_named(tmp_path, encoder_folder):
    write_reranker(tmp_path / "two", labels=2)
    with pytest.raises(ModelError, match="gives 2 labels; a reranker needs a head with one"):
        load_cross_encoder(tmp_path / "two")
    with pytest.raises(ModelError, match="has no classification head"):
        load_cross_encoder(encoder_folder)
