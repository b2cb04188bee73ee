"""An encoder cut above its frozen layers: the same vectors and gradients; kept token vectors are found again."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from retrieval.models import frozen_layers
from retrieval.models.frozen_layers import SplitEncoder, read_lower_layers, states_key

TEXTS = ["người lao động", "giao dịch dân sự vô hiệu", "thời hiệu", "người lao động"]


def rows_of(encoder):
    return encoder.tokenize_passages(TEXTS)


def cut(encoder, runtime, layers=1, file=None):
    states = read_lower_layers(encoder.backbone, rows_of(encoder), layers, runtime, file)
    return SplitEncoder(encoder, (states,))


def cosines(one, two):
    return torch.nn.functional.cosine_similarity(torch.as_tensor(one), torch.as_tensor(two))


def test_vectors_from_the_cut_are_those_of_the_whole_encoder(encoder, runtime):
    whole = encoder.encode_rows(rows_of(encoder), runtime)
    assert float(cosines(whole, cut(encoder, runtime).encode_rows(rows_of(encoder), runtime)).min()) > 0.99999


def test_in_bfloat16_too_the_vectors_from_the_cut_are_those_of_the_whole_encoder(encoder, runtime):
    half = replace(runtime, precision=torch.bfloat16)
    whole = encoder.encode_rows(rows_of(encoder), runtime)
    parts = cut(encoder, half)
    assert float(cosines(whole, parts.encode_rows(rows_of(encoder), half)).min()) > 0.999
    with torch.autocast("cpu", torch.bfloat16):
        learning = parts.forward(rows_of(encoder))
    assert float(cosines(whole, learning.detach()).min()) > 0.999 and learning.dtype == torch.float32


def test_layers_above_the_cut_are_read_as_they_are_now(encoder, runtime):
    parts = cut(encoder, runtime)
    with torch.no_grad():
        for parameter in encoder.backbone.encoder.layer[-1].parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    whole = encoder.encode_rows(rows_of(encoder), runtime)
    assert float(cosines(whole, parts.encode_rows(rows_of(encoder), runtime)).min()) > 0.9999


def test_gradients_above_the_cut_are_those_of_the_whole_encoder(encoder, runtime):
    other = copy.deepcopy(encoder)
    weights = torch.randn(len(TEXTS), encoder.settings.dimension, generator=torch.Generator().manual_seed(2))
    parts = cut(encoder, runtime)
    (parts.forward(rows_of(encoder)) * weights).sum().backward()
    alone = torch.cat([other([row]) for row in rows_of(other)])
    (alone * weights).sum().backward()
    pairs = zip(encoder.parameters(), other.parameters(), strict=True)
    flat = [(mine.grad.flatten(), theirs.grad.flatten()) for mine, theirs in pairs if mine.grad is not None]
    mine, theirs = (torch.cat(part)[None] for part in zip(*flat, strict=True))
    assert float(cosines(mine, theirs)) > 0.9999
    learnt = {name for name, parameter in encoder.named_parameters() if parameter.grad is not None}
    layers = encoder.backbone.encoder.layer
    assert learnt == {
        f"backbone.encoder.layer.{i}.{n}" for i in range(1, len(layers)) for n, _ in layers[i].named_parameters()
    }


def test_a_row_cut_short_is_read_from_its_start(encoder, runtime):
    parts, row = cut(encoder, runtime, layers=len(encoder.backbone.encoder.layer)), rows_of(encoder)[1]
    mean = parts.states[0].of(row)[:3].float().mean(0)
    assert float(cosines(parts.forward([row], longest=3).detach(), mean[None])) > 0.99999


def test_the_closing_token_of_a_row_cut_short_is_kept_where_it_alone_is_read(encoder, runtime):
    parts, row = cut(encoder, runtime, layers=len(encoder.backbone.encoder.layer)), rows_of(encoder)[1]
    encoder.settings = replace(encoder.settings, pooling="lasttoken")
    last = parts.states[0].of(row)[-1:].float()
    assert float(cosines(parts.forward([row], longest=3).detach(), last)) > 0.99999


def test_kept_token_vectors_are_found_again_and_damaged_ones_made_anew(encoder, runtime, tmp_path, monkeypatch, caplog):
    file = tmp_path / "states" / "kept.npy"
    made = cut(encoder, runtime, file=file).states[0]
    assert [path.name for path in file.parent.iterdir()] == ["kept.npy"]
    monkeypatch.setattr(frozen_layers, "spread", lambda *_: pytest.fail("they were made again"))
    again = cut(encoder, runtime, file=file).states[0]
    assert np.array_equal(made.vectors, again.vectors) and made.bounds == again.bounds
    monkeypatch.undo()
    file.write_bytes(file.read_bytes()[:-7])
    assert np.array_equal(cut(encoder, runtime, file=file).states[0].vectors, made.vectors)
    assert "made again" in caplog.text


def test_a_disk_that_refuses_costs_a_warning_not_the_run(encoder, runtime, tmp_path, caplog):
    (tmp_path / "states").write_text("a file where a folder should be")
    states = cut(encoder, runtime, file=tmp_path / "states" / "kept.npy").states[0]
    assert len(states.vectors) and "could not be kept" in caplog.text


def test_the_key_covers_lower_weights_and_texts_but_not_the_layers_above(encoder, runtime):
    def key():
        return states_key(encoder.backbone, rows_of(encoder), 1, runtime)

    first = key()
    with torch.no_grad():
        next(encoder.backbone.encoder.layer[-1].parameters()).add_(1.0)
    assert key() == first
    assert states_key(encoder.backbone, rows_of(encoder)[:2], 1, runtime) != first
    with torch.no_grad():
        next(encoder.backbone.encoder.layer[0].parameters()).add_(1.0)
    assert key() != first


def test_a_row_that_is_not_kept_goes_through_the_whole_encoder(encoder, runtime):
    row = encoder.tokenize_passages(["hợp đồng"])
    assert np.allclose(cut(encoder, runtime).encode_rows(row, runtime), encoder.encode_rows(row, runtime), atol=1e-6)


def test_the_key_covers_precision_and_how_the_weights_are_used(encoder, runtime):
    def key(precision=torch.float32, **shape):
        other = copy.deepcopy(encoder.backbone)
        other.config = replace(other.config, **shape)
        return states_key(other, rows_of(encoder), 1, replace(runtime, precision=precision))

    heads = encoder.backbone.config.num_attention_heads
    keys = [key(), key(torch.bfloat16), key(num_attention_heads=2 * heads), key(layer_norm_eps=0.5)]
    keys += [key(hidden_act="relu"), key(model_type="xlm-roberta", pad_token_id=1)]
    assert len(set(keys)) == len(keys)


def test_a_file_that_holds_other_vectors_than_its_name_says_is_not_used(encoder, runtime, tmp_path, caplog):
    file = tmp_path / "kept.npy"
    made = cut(encoder, runtime, file=file).states[0].vectors
    for wrong in (made[:-1], made[:, :-1], made.astype(np.float32)):
        np.save(file, wrong)
        assert frozen_layers.kept_lower_layers(encoder.backbone, rows_of(encoder), 1, file) is None
        assert "made again" in caplog.text
        caplog.clear()
        assert np.array_equal(cut(encoder, runtime, file=file).states[0].vectors, made)


def test_looking_for_kept_vectors_makes_none(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(frozen_layers, "spread", lambda *_: pytest.fail("they were made"))
    assert frozen_layers.kept_lower_layers(encoder.backbone, rows_of(encoder), 1, tmp_path / "none.npy") is None
    assert frozen_layers.kept_lower_layers(encoder.backbone, rows_of(encoder), 1, None) is None
