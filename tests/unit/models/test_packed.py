from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from retrieval.models import inference
from retrieval.models.inference import Reader, run_rows
from retrieval.models.packed import pack
from tests.tiny_models import FAMILIES, SHAPE, unigram_tokenizer

ROWS = [[0, 5, 2], [0, 6, 2], [0, 7, 8, 2], [0, 4, 5, 6, 7, 8, 9, 10, 2]]


def hidden(backbone, row, types=None):
    kinds = None if types is None else torch.tensor([types])
    with torch.inference_mode():
        return backbone(input_ids=torch.tensor([row]), token_type_ids=kinds).last_hidden_state[0]


@pytest.mark.parametrize("private_operators", [False, True])
def test_packed_rows_equal_the_plain_forward_token_by_token(backbone, private_operators):
    try:
        encoder = pack(backbone, torch.float32, private_operators)
    except (RuntimeError, AttributeError) as error:
        pytest.skip(f"this build of torch has no oneDNN linears: {error}")
    with torch.inference_mode():
        parts = encoder.forward(ROWS)
    assert [tuple(part.shape) for part in parts] == [(2, 3, 32), (1, 4, 32), (1, 9, 32)]
    got = [row for part in parts for row in part]
    for row, vectors in zip(ROWS, got, strict=True):
        torch.testing.assert_close(vectors, hidden(backbone, row), atol=3e-6, rtol=1e-5)


def test_token_types_reach_the_embeddings():
    torch.manual_seed(0)
    backbone = FAMILIES["bert"]().eval()
    types = [[0, 0, 1, 1]]
    with torch.inference_mode():
        (part,) = pack(backbone, torch.float32, False).forward([ROWS[2]], types)
    torch.testing.assert_close(part[0], hidden(backbone, ROWS[2], types[0]), atol=1e-5, rtol=1e-5)


def mean_vectors(backbone, runtime):
    reader = Reader(backbone, unigram_tokenizer(), lambda states: states.pool("mean"), 32)
    return run_rows(reader, ROWS, runtime)


def test_a_packed_forward_that_disagrees_is_not_used(backbone, runtime, monkeypatch, caplog):
    expected = torch.stack([hidden(backbone, row).mean(0) for row in ROWS]).numpy()

    def wrong(model, precision, private_operators):
        encoder = pack(model, precision, private_operators)
        return type(encoder)(encoder.embeddings, encoder.layers[:1], encoder.heads, encoder.first_position, precision)

    monkeypatch.setattr(inference, "pack", wrong)
    with caplog.at_level(logging.WARNING):
        got = mean_vectors(backbone, runtime)
    assert "differs from the plain one" in caplog.text
    assert abs(got - expected).max() < 3e-6


@pytest.mark.parametrize("error", [RuntimeError("no such operator"), AttributeError("no such layer")])
def test_a_missing_operator_means_the_plain_forward(backbone, runtime, monkeypatch, error):
    def missing(*_):
        raise error

    monkeypatch.setattr(inference, "pack", missing)
    expected = torch.stack([hidden(backbone, row).mean(0) for row in ROWS]).numpy()
    assert abs(mean_vectors(backbone, runtime) - expected).max() < 3e-6


def test_an_activation_other_than_gelu_means_the_plain_forward(runtime):
    torch.manual_seed(0)
    backbone = BertModel(BertConfig(**SHAPE, hidden_act="relu"), add_pooling_layer=False).eval()
    expected = torch.stack([hidden(backbone, row).mean(0) for row in ROWS]).numpy()
    assert abs(mean_vectors(backbone, runtime) - expected).max() < 3e-6


def test_many_small_batches_over_two_workers_keep_their_order(backbone, runtime, monkeypatch):
    monkeypatch.setattr(inference, "_PACKED_BUDGETS", {torch.float32: 4})
    monkeypatch.setattr(inference, "_SMALLEST_BUDGET", 4)
    threads = torch.get_num_threads()
    expected = torch.stack([hidden(backbone, row).mean(0) for row in ROWS]).numpy()
    try:
        assert abs(mean_vectors(backbone, runtime) - expected).max() < 3e-6
        assert torch.get_num_threads() == runtime.threads
    finally:
        torch.set_num_threads(threads)


def test_an_error_in_a_worker_reaches_the_caller(backbone, runtime, monkeypatch):
    monkeypatch.setattr(inference, "_PACKED_BUDGETS", {torch.float32: 4})
    monkeypatch.setattr(inference, "_SMALLEST_BUDGET", 4)

    def refuse(states):
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"):
        run_rows(Reader(backbone, unigram_tokenizer(), refuse, 32), ROWS, runtime)


def test_short_texts_of_a_model_that_does_not_learn_take_weights_laid_out_for_them(backbone, runtime, monkeypatch):
    asked, real = [], inference.pack

    def noted(model, precision, private_operators):
        asked.append(private_operators)
        return real(model, precision, private_operators)

    monkeypatch.setattr(inference, "pack", noted)
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
