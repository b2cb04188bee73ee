from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from retrieval.config.schema import BiEncoderConfig
from retrieval.errors import ConfigError, ModelError
from retrieval.models.bi_encoder import bi_encoder_from, load_bi_encoder
from retrieval.models.weights import SAFETENSORS
from retrieval.runtime import Runtime
from tests.helpers.tiny_models import sentences, write_reranker

TEXTS = [text.replace("_", " ") for text in sentences(40, seed=5)]


def test_encoding_equals_the_plain_forward_in_the_order_given(encoder, runtime):
    vectors = encoder.encode_passages(TEXTS, runtime)
    with torch.inference_mode():
        expected = encoder(encoder.tokenize_passages(TEXTS))
    assert vectors.shape == (40, 32)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected.numpy(), atol=2e-6)


def test_vectors_have_unit_length_only_where_the_settings_say_so(encoder, runtime):
    np.testing.assert_allclose(np.linalg.norm(encoder.encode_queries(TEXTS, runtime), axis=1), 1.0, atol=1e-6)
    encoder.settings = dataclasses.replace(encoder.settings, normalize=False)
    lengths = np.linalg.norm(encoder.encode_queries(TEXTS, runtime), axis=1)
    assert np.abs(lengths - 1.0).min() > 0.1


def test_query_and_passage_are_read_with_their_prefixes(encoder_folder, encoder):
    assert encoder.settings.query_prefix == "query: "  # known from the folder's name: its files do not record it
    assert encoder.tokenize_queries(["quy"]) == encoder.tokenizer.encode(["query: quy"], 64)
    assert encoder.tokenize_passages(["quy"]) == encoder.tokenizer.encode(["passage: quy"], 64)


def test_no_texts_are_no_rows(encoder, runtime):
    assert encoder.encode_queries([], runtime).shape == (0, 32)


@pytest.mark.parametrize("fused", [False, True])
def test_encoding_sees_weights_that_an_optimiser_just_changed(encoder, runtime, fused):
    before = encoder.encode_queries(TEXTS[:4], runtime)
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=0.05, fused=fused)
    rows = encoder.tokenize_queries(TEXTS[:4])
    encoder(rows).sum().backward()
    optimiser.step()
    with torch.inference_mode():
        expected = encoder(rows).numpy()
    after = encoder.encode_queries(TEXTS[:4], runtime)
    np.testing.assert_allclose(after, expected, atol=2e-6)
    assert np.abs(after - before).max() > 1e-3


def test_encoding_sees_weights_that_were_loaded_back(encoder, runtime):
    kept = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    before = encoder.encode_queries(TEXTS[:4], runtime)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.mul_(1.5)
    assert np.abs(encoder.encode_queries(TEXTS[:4], runtime) - before).max() > 1e-3
    encoder.load_state_dict(kept)
    np.testing.assert_array_equal(encoder.encode_queries(TEXTS[:4], runtime), before)


def test_a_copy_of_a_used_encoder_is_its_own(encoder, runtime):
    before = encoder.encode_queries(TEXTS[:4], runtime)
    twin = copy.deepcopy(encoder)
    with torch.no_grad():
        twin.backbone.encoder.layer[0].output.dense.weight.zero_()
    assert np.abs(twin.encode_queries(TEXTS[:4], runtime) - before).max() > 1e-4
    np.testing.assert_array_equal(encoder.encode_queries(TEXTS[:4], runtime), before)


def test_bfloat16_agrees_with_float32_whatever_the_processor(encoder, runtime):
    expected = encoder.encode_passages(TEXTS, runtime)
    got = encoder.encode_passages(TEXTS, Runtime(runtime.device, torch.bfloat16, 2))
    assert (expected * got).sum(1).min() > 0.999


def test_a_saved_encoder_gives_the_same_vectors_and_settings(encoder, runtime, tmp_path):
    encoder.settings = dataclasses.replace(encoder.settings, pooling="cls", training_run_id="r1", data_version="d1")
    encoder.save(tmp_path / "kept")
    again = load_bi_encoder(tmp_path / "kept")
    assert again.settings == encoder.settings
    np.testing.assert_array_equal(again.encode_passages(TEXTS, runtime), encoder.encode_passages(TEXTS, runtime))


def test_a_model_saved_again_shares_its_weights_and_a_changed_one_does_not(encoder, tmp_path):
    encoder.save(tmp_path / "first")
    again = load_bi_encoder(tmp_path / "first")
    again.save(tmp_path / "same")
    with torch.no_grad():
        again.backbone.encoder.layer[0].output.dense.bias += 1e-3
    again.save(tmp_path / "changed")
    first, same, changed = (tmp_path / name / SAFETENSORS for name in ("first", "same", "changed"))
    assert same.samefile(first)
    assert not changed.samefile(first)
    assert torch.equal(
        load_bi_encoder(changed.parent).backbone.encoder.layer[0].output.dense.bias,
        load_bi_encoder(first.parent).backbone.encoder.layer[0].output.dense.bias + 1e-3,
    )


def test_a_model_whose_folder_is_gone_or_damaged_is_saved_whole(encoder, tmp_path):
    encoder.save(tmp_path / "first")
    again = load_bi_encoder(tmp_path / "first")
    weights = tmp_path / "first" / SAFETENSORS
    content = weights.read_bytes()
    for number, left in enumerate((content[:-8], content[:20], None)):
        weights.unlink()  # the model's own tensors stay mapped
        if left is not None:
            weights.write_bytes(left)
        again.save(tmp_path / str(number))
        assert (tmp_path / str(number) / SAFETENSORS).read_bytes() == content


def test_configured_changes_reach_the_settings(encoder_folder):
    config = BiEncoderConfig(
        base=str(encoder_folder),
        layers=2,
        pooling="max",
        normalize=False,
        temperature=1.0,
        query_prefix="hỏi: ",
        max_query_tokens=16,
        max_passage_tokens=32,
    )
    encoder = bi_encoder_from(config)
    settings = encoder.settings
    assert (settings.pooling, settings.normalize) == ("max", False)
    assert (settings.query_prefix, settings.passage_prefix) == ("hỏi: ", "passage: ")
    assert (settings.max_query_tokens, settings.max_passage_tokens) == (16, 32)
    assert len(encoder.backbone.encoder.layer) == encoder.backbone.config.num_hidden_layers == 2


def test_lengths_beyond_the_positions_are_named(encoder_folder):
    with pytest.raises(ModelError, match="reads at most 64 tokens, but 256 are configured"):
        bi_encoder_from(BiEncoderConfig(base=str(encoder_folder)))


def test_too_many_layers_are_named(encoder_folder):
    with pytest.raises(ConfigError, match=r"layers: got 4, but .* has 3"):
        bi_encoder_from(BiEncoderConfig(base=str(encoder_folder), layers=4, max_passage_tokens=64))


def test_a_reranker_is_not_taken_for_an_encoder(tmp_path):
    write_reranker(tmp_path / "r")
    with pytest.raises(ModelError, match="holds a cross-encoder, not a bi-encoder"):
        load_bi_encoder(tmp_path / "r")
