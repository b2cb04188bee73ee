from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from retrieval.models.backbone import batch_inference
from retrieval.models.backbone.batch_inference import Reader, run_rows
from retrieval.models.backbone.cpu_inference import pack
from retrieval.models.backbone.pooling import pool_rows
from tests.helpers.tiny_models import FAMILIES, SHAPE, backbone_of, unigram_tokenizer

ROWS = [[0, 5, 2], [0, 6, 2], [0, 7, 8, 2], [0, 4, 5, 6, 7, 8, 9, 10, 2]]


def hidden(backbone, row, types=None):
    with torch.inference_mode():
        return backbone([row], None if types is None else [types])


@pytest.mark.parametrize("private_operators", [False, True])
def test_packed_rows_equal_the_plain_forward_token_by_token(backbone, private_operators):
    try:
        encoder = pack(backbone, torch.float32, private_operators)
    except (RuntimeError, AttributeError) as error:
        pytest.skip(f"this build of torch has no oneDNN linears: {error}")
    with torch.inference_mode():
        got = encoder(ROWS)
    for row, vectors in zip(ROWS, torch.split(got, [len(row) for row in ROWS]), strict=True):
        torch.testing.assert_close(vectors, hidden(backbone, row), atol=3e-6, rtol=1e-5)


def test_token_types_reach_the_embeddings():
    torch.manual_seed(0)
    backbone = backbone_of(FAMILIES["bert"]())
    types = [[0, 0, 1, 1]]
    with torch.inference_mode():
        got = pack(backbone, torch.float32, False)([ROWS[2]], types)
    torch.testing.assert_close(got, hidden(backbone, ROWS[2], types[0]), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(got, hidden(backbone, ROWS[2]), atol=1e-2)


def mean_vectors(backbone, runtime):
    reader = Reader(
        backbone, unigram_tokenizer(), lambda tokens, rows: pool_rows(tokens, list(map(len, rows)), "mean"), 32
    )
    return run_rows(reader, ROWS, runtime)


def test_a_packed_forward_that_disagrees_is_not_used(backbone, runtime, monkeypatch, caplog):
    expected = torch.stack([hidden(backbone, row).mean(0) for row in ROWS]).numpy()

    def wrong(model, precision, private_operators):
        encoder = pack(model, precision, private_operators)
        return type(encoder)(encoder.embeddings, encoder.layers[:1], encoder.heads, encoder.width, precision)

    monkeypatch.setattr(batch_inference, "pack", wrong)
    with caplog.at_level(logging.WARNING):
        got = mean_vectors(backbone, runtime)
    assert "differs from the plain one" in caplog.text
    assert abs(got - expected).max() < 3e-6


@pytest.mark.parametrize("error", [RuntimeError("no such operator"), AttributeError("no such layer")])
def test_a_missing_operator_means_the_plain_forward(backbone, runtime, monkeypatch, error):
    def missing(*_):
        raise error

    monkeypatch.setattr(batch_inference, "pack", missing)
    expected = torch.stack([hidden(backbone, row).mean(0) for row in ROWS]).numpy()
    assert abs(mean_vectors(backbone, runtime) - expected).max() < 3e-6


def test_an_activation_other_than_gelu_means_the_plain_forward(runtime):
    torch.manual_seed(0)
    backbone = backbone_of(BertModel(BertConfig(**SHAPE, hidden_act="relu"), add_pooling_layer=False))
    expected = torch.stack([hidden(backbone, row).mean(0) for row in ROWS]).numpy()
    assert abs(mean_vectors(backbone, runtime) - expected).max() < 3e-6


def test_many_small_batches_over_two_workers_keep_their_order(backbone, runtime, monkeypatch):
    monkeypatch.setattr(batch_inference, "CPU_PASS_TOKENS", {torch.float32: 4})
    monkeypatch.setattr(batch_inference, "SMALLEST_SHARE_TOKENS", 4)
    threads = torch.get_num_threads()
    expected = torch.stack([hidden(backbone, row).mean(0) for row in ROWS]).numpy()
    try:
        assert abs(mean_vectors(backbone, runtime) - expected).max() < 3e-6
        assert torch.get_num_threads() == runtime.threads
    finally:
        torch.set_num_threads(threads)


def test_an_error_in_a_worker_reaches_the_caller(backbone, runtime, monkeypatch):
    monkeypatch.setattr(batch_inference, "CPU_PASS_TOKENS", {torch.float32: 4})
    monkeypatch.setattr(batch_inference, "SMALLEST_SHARE_TOKENS", 4)

    def refuse(*_):
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"):
        run_rows(Reader(backbone, unigram_tokenizer(), refuse, 32), ROWS, runtime)


def test_short_texts_of_a_model_that_does_not_learn_take_weights_laid_out_for_them(backbone, runtime, monkeypatch):
    asked, real = [], batch_inference.pack

    def noted(model, precision, private_operators):
        asked.append(private_operators)
        return real(model, precision, private_operators)

    monkeypatch.setattr(batch_inference, "pack", noted)
    learning = mean_vectors(backbone, runtime)
    assert asked == [False]
    backbone.requires_grad_(False)
    served = mean_vectors(backbone, runtime)
    assert asked[1] is True
    np.testing.assert_allclose(served, learning, atol=3e-6)
    with torch.no_grad():
        next(backbone.parameters()).mul_(2.0)  # a weight that was thought to stay
    again = mean_vectors(backbone, runtime)
    assert not np.allclose(again, served, atol=1e-3)
