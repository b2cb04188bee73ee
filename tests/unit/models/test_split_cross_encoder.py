"""Pairs read apart below and together above: the masked whole model, kept texts, the head's features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from retrieval.config.schema import CrossEncoderConfig, TrainingConfig
from retrieval.errors import ConfigError, ModelError
from retrieval.models import split_cross_encoder
from retrieval.models.cross_encoder import cross_encoder_from, load_cross_encoder
from retrieval.models.frozen_layers import read_lower_layers
from retrieval.models.split_cross_encoder import InteractionHead
from retrieval.models.state_cache import StateCache

FROZEN = TrainingConfig(epochs=1, freeze_layers=2)
CONFIG = CrossEncoderConfig(separate_frozen_layers=True, max_tokens=40, max_query_tokens=12, training=FROZEN)
PAIRS = [
    ("nghỉ phép", ("nghỉ hằng năm", "người lao động được nghỉ hằng năm")),
    ("thời hiệu thừa kế", "thời hiệu chia di sản"),
    ("nghỉ phép", ("", "hợp đồng vô hiệu")),
]


@pytest.fixture
def reranker(encoder):
    made = cross_encoder_from(CONFIG, encoder)
    with torch.no_grad():  # as in a real model, lest biases outweigh what a token is
        for name, parameter in made.backbone.named_parameters():
            if "LayerNorm" in name:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
    rows = made.tokenize(PAIRS)
    return made, rows


def by_hand(reranker, row):
    """Each text through the lower layers by itself, then all tokens through the upper ones, one pair at a time."""
    backbone, apart = reranker.backbone, reranker.settings.separate_layers
    texts = (row.query, *row.passage)
    parts = [backbone.run(backbone.embed([text]), [len(text)], last=apart) for text in texts]
    parts[-1] = parts[-1][: row.kept]
    below = torch.cat(parts)
    hidden = backbone.run(below, [len(below)], apart)[None]
    of_query = torch.arange(hidden.shape[1])[None] < len(row.query)
    return reranker.head(hidden, of_query, ~of_query)


def test_scores_are_those_of_each_pair_by_itself(reranker, runtime):
    made, rows = reranker
    with torch.no_grad():
        expected = torch.cat([by_hand(made, row) for row in rows])
    scores = made.score(PAIRS, runtime)
    assert np.ptp(scores) > 0.05
    np.testing.assert_allclose(scores, expected.numpy(), atol=5e-3)


def test_training_logits_are_the_scores_and_only_upper_layers_and_head_learn(reranker, runtime):
    made, rows = reranker
    made.late.know(rows, runtime)
    logits = made.logits(rows, runtime)
    np.testing.assert_allclose(logits.detach().numpy(), made.score(PAIRS, runtime), atol=5e-3)
    logits.sum().backward()
    learnt = {name for name, parameter in made.named_parameters() if parameter.grad is not None}
    assert learnt and all(name.startswith(("backbone.encoder.layer.2.", "head.")) for name in learnt)


def test_in_bfloat16_pairs_keep_their_order_and_logits_are_float32(reranker, runtime):
    made, rows = reranker
    half = replace(runtime, precision=torch.bfloat16)
    expected, scores = made.score(PAIRS, runtime), made.score(PAIRS, half)
    assert scores.argsort().tolist() == expected.argsort().tolist()
    made.late.know(rows, half)
    assert made.logits(rows, half).dtype == torch.float32
    np.testing.assert_allclose(made.logits(rows, half).detach().numpy(), expected, atol=0.05)


def test_texts_that_are_known_are_not_read_again(reranker, runtime, monkeypatch):
    made, rows = reranker
    texts = [text for row in rows for text in row.passage]
    made.late.states = (read_lower_layers(made.backbone, texts, 2, runtime),)
    expected = made.score(PAIRS, runtime)
    read = []
    plain = split_cross_encoder.read_lower_layers
    monkeypatch.setattr(
        split_cross_encoder,
        "read_lower_layers",
        lambda model, rows, *rest: read.extend(rows) or plain(model, rows, *rest),
    )
    np.testing.assert_array_equal(made.score(PAIRS, runtime), expected)
    assert sorted(read) == sorted({row.query for row in rows})
    assert len(made.late.states) == 1


def test_a_model_without_a_packed_form_scores_the_same(reranker, runtime, monkeypatch):
    made, _ = reranker
    expected = made.score(PAIRS, runtime)
    monkeypatch.setattr(split_cross_encoder, "packed_encoder", lambda *_: None)
    monkeypatch.setattr(split_cross_encoder, "read_lower_layers", lambda *_: None)
    np.testing.assert_allclose(made.score(PAIRS, runtime), expected, atol=5e-3)


def test_a_long_pair_loses_the_end_of_its_last_text(reranker):
    made, _ = reranker
    (row,) = made.tokenize([("nghỉ phép", ("một tiêu đề", "hợp đồng " * 60))])
    assert len(row) == 40 and row.kept < len(row.passage[-1])


def test_a_saved_model_scores_the_same_and_remembers_where_texts_meet(reranker, runtime, tmp_path):
    made, _ = reranker
    with torch.no_grad():
        made.head.shares.add_(0.25)
        made.head.get_buffer("center").add_(0.1)
    made.save(tmp_path / "model")
    again = load_cross_encoder(tmp_path / "model")
    assert (again.settings.head, again.settings.separate_layers) == ("interaction", 2)
    np.testing.assert_array_equal(again.score(PAIRS, runtime), made.score(PAIRS, runtime))


def test_calibration_centres_the_features_that_the_head_adds():
    head = InteractionHead(8)
    vectors = torch.randn(20, 6, 8, generator=torch.Generator().manual_seed(0))
    of_query = (torch.arange(6) < 2).expand(20, 6)
    head.calibrate([(vectors[:9], of_query[:9], ~of_query[:9]), (vectors[9:], of_query[9:], ~of_query[9:])])
    unit = functional.normalize(vectors, dim=-1)
    maxsim = (unit[:, :2] @ unit[:, 2:].transpose(1, 2)).amax(-1).mean(-1)
    cosine = functional.cosine_similarity(vectors[:, :2].mean(1), vectors[:, 2:].mean(1))
    both = torch.stack([cosine, maxsim], dim=-1)
    torch.testing.assert_close(head.get_buffer("center"), both.mean(0))
    torch.testing.assert_close(head.get_buffer("spread"), both.std(0))
    with torch.no_grad():
        head.out.weight.zero_()
        logits = head(vectors, of_query, ~of_query)
    torch.testing.assert_close(logits, -1.0 + ((both - both.mean(0)) / both.std(0)).sum(-1) * 0.7)


def test_plain_rows_are_refused(reranker):
    with pytest.raises(ModelError, match="give its rows to logits"):
        reranker[0]([[0, 2]])


def test_one_layer_at_least_must_read_the_texts_together(encoder):
    config = CrossEncoderConfig(separate_frozen_layers=True, max_tokens=40, training=TrainingConfig(freeze_layers=3))
    with pytest.raises(ConfigError, match="has 3 layers"):
        cross_encoder_from(config, encoder)


def test_only_frozen_layers_read_the_texts_apart():
    assert CrossEncoderConfig(separate_frozen_layers=True, training=FROZEN).separate_layers == 2
    learning = TrainingConfig(freeze_layers=2, freeze_embeddings=False)
    assert CrossEncoderConfig(separate_frozen_layers=True, training=learning).separate_layers == 0
    assert CrossEncoderConfig(training=FROZEN).separate_layers == 0


def test_texts_are_remembered_across_calls_and_scores_stay_the_same(reranker, runtime, monkeypatch):
    made, rows = reranker
    plain = made.score(PAIRS, runtime)
    made.late.memory = StateCache(1 << 20)
    read, lower = [], split_cross_encoder.read_lower_layers
    monkeypatch.setattr(
        split_cross_encoder,
        "read_lower_layers",
        lambda model, texts, *rest: read.extend(texts) or lower(model, texts, *rest),
    )
    first = made.score(PAIRS, runtime)
    assert set(read) == {text for row in rows for text in (row.query, *row.passage)}
    read.clear()
    again = made.score(PAIRS, runtime)
    assert read == []
    for scores in (first, again):
        np.testing.assert_allclose(scores, plain, rtol=1e-5)
    assert made.late.states == ()
