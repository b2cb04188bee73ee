"""Models that only transformers runs: what is refused, what is frozen, and where shortcuts switch themselves off."""

from __future__ import annotations

import json

import pytest
import torch
import transformers

from retrieval.config.schema import CrossEncoderConfig, TrainingConfig
from retrieval.errors import ConfigError, ModelError, TrainingError
from retrieval.models.backbone.batch_inference import packed_encoder
from retrieval.models.bi_encoder import BiEncoder, load_bi_encoder
from retrieval.models.cross_encoder import cross_encoder_from, load_cross_encoder
from retrieval.models.frozen_layers import can_be_cut, read_lower_layers, states_key
from retrieval.models.io.pretrained import load
from retrieval.runtime import Runtime
from retrieval.training.freezing import prepared
from tests.helpers.foreign_folders import TEXTS, edit
from tests.helpers.transformers_folders import FAMILIES, write_embedding_gemma, write_family, write_qwen3_embedding

CPU = Runtime(torch.device("cpu"), torch.float32, 1)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return write_qwen3_embedding(tmp_path_factory.mktemp("qwen") / "m")


@pytest.fixture
def folder(tmp_path):
    write_family(tmp_path / "m", "qwen3")
    return tmp_path / "m"


def test_a_type_that_lives_in_code_of_the_folder_is_refused_by_name_and_says_what_to_do(folder):
    edit(folder / "config.json", model_type="NewModel", auto_map={"AutoModel": "modeling.NewModel"})
    (folder / "modeling.py").write_text("raise SystemExit('was run')")
    with pytest.raises(ModelError, match=r"'NewModel' needs code from its own folder \(auto_map.*never run.*such as"):
        load(str(folder))


def test_a_type_that_transformers_has_is_read_without_the_code_of_the_folder(folder):
    expected = load(str(folder)).backbone([[1, 2, 3]])
    edit(folder / "config.json", auto_map={"AutoModel": "modeling.Other"})
    (folder / "modeling.py").write_text("raise SystemExit('was run')")
    torch.testing.assert_close(load(str(folder)).backbone([[1, 2, 3]]), expected)


def test_code_of_the_folder_that_gives_the_weights_another_shape_is_named(folder):
    edit(folder / "config.json", auto_map={"AutoModel": "modeling.Other"}, intermediate_size=64)
    with pytest.raises(ModelError, match=r"code of its own|do not fit"):
        load(str(folder))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bart"}, "an encoder with a decoder behind it"),
        ({"vision_config": {"hidden_size": 8}}, r"more than text \(vision_config\)"),
        ({"model_type": "whatever"}, "'whatever' is not one that transformers"),
        ({"model_type": "vit"}, "do not fit"),
        ({"num_hidden_layers": 2, "layer_types": None}, "unknown, such as 'layers.2"),
        ({"num_hidden_layers": 4, "layer_types": None}, "tensors missing"),
        ({"hidden_size": 16}, "do not fit"),
        ({"vocab_size": 9}, "do not fit"),
    ],
)
def test_what_does_not_fit_is_named(folder, changes, message):
    edit(folder / "config.json", **changes)
    with pytest.raises(ModelError, match=message):
        load(str(folder))


def test_a_pickle_with_code_is_refused(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"layers": json.loads}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="refused"):
        load(str(folder))


@pytest.mark.parametrize("family", list(FAMILIES))
def test_frozen_layers_and_what_feeds_them_stay_and_the_rest_learns(tmp_path, family):
    write_family(tmp_path / "m", family)
    encoder = load_bi_encoder(tmp_path / "m")
    before = {name: value.clone() for name, value in encoder.named_parameters()}
    below = {name for name, _ in encoder.named_parameters() if "embed" in name or "rel" in name or ".wte" in name}
    layers = encoder.backbone.layers
    frozen = {id(value) for layer in layers[:2] for value in layer.parameters()}
    with prepared(encoder, TrainingConfig(epochs=1, freeze_layers=2)):
        optimizer = torch.optim.SGD([p for p in encoder.parameters() if p.requires_grad], lr=1.0)
        encoder(sorted(encoder.tokenize_queries(TEXTS), key=len))[:, 0].sum().backward()
        optimizer.step()
    changed = {name for name, value in encoder.named_parameters() if not torch.equal(value, before[name])}
    assert changed
    assert not changed & {name for name, value in encoder.named_parameters() if id(value) in frozen}
    assert not changed & below
    of_last = {name for name, value in encoder.named_parameters() if any(value is p for p in layers[2].parameters())}
    assert changed & of_last


def test_layers_that_are_one_layer_run_many_times_are_not_frozen_in_silence(tmp_path):
    write_family(tmp_path / "m", "distilbert")
    shape = {"vocab_size": 400, "embedding_size": 16, "hidden_size": 32, "num_hidden_layers": 3,
             "num_attention_heads": 4, "intermediate_size": 48}  # fmt: skip
    transformers.AlbertModel(transformers.AlbertConfig(**shape)).save_pretrained(tmp_path / "m")
    encoder = load_bi_encoder(tmp_path / "m")
    with (
        pytest.raises(TrainingError, match=r"keeps no list of its 3 layers.*freeze_layers"),
        prepared(encoder, TrainingConfig(epochs=1, freeze_layers=1)),
    ):
        pass
    with pytest.raises(ModelError, match="keeps no list of its 3 layers"):
        load(str(tmp_path / "m"), layers=1)
    table = encoder.backbone.model.embeddings.word_embeddings.weight
    with prepared(encoder, TrainingConfig(epochs=1)):  # the embeddings alone
        assert [one for one in encoder.parameters() if not one.requires_grad] == [table]


def test_shortcuts_of_the_fast_backbone_are_off(qwen):
    encoder = load_bi_encoder(qwen)
    rows = encoder.tokenize_queries(TEXTS)
    assert packed_encoder(encoder.backbone, rows, CPU) is None
    assert read_lower_layers(encoder.backbone, rows, 1, CPU) is None
    assert not can_be_cut(encoder.backbone)
    with pytest.raises(TypeError, match="can_be_cut"):
        states_key(encoder.backbone, rows, 1, CPU)


def test_reading_texts_apart_is_refused_for_a_model_whose_layers_run_only_together(qwen):
    training = TrainingConfig(epochs=1, freeze_layers=1)
    config = CrossEncoderConfig(separate_frozen_layers=True, max_tokens=40, max_query_tokens=12, training=training)
    with pytest.raises(ConfigError, match=r"separate_frozen_layers: .* a qwen3, are run only together.*; unset it"):
        cross_encoder_from(config, load_bi_encoder(qwen))


def test_there_is_no_dropout_in_training(tmp_path):
    write_family(tmp_path / "m", "distilbert", dropout=0.5, attention_dropout=0.5)
    encoder = load_bi_encoder(tmp_path / "m").train()
    rows = encoder.tokenize_queries(TEXTS[:1])
    torch.testing.assert_close(encoder(rows), encoder(rows))
    assert json.loads((tmp_path / "m/config.json").read_text())["dropout"] == 0.5


def test_a_bi_encoder_made_of_the_parts_has_its_projections_and_a_reranker_does_not(tmp_path):
    found = load(str(write_embedding_gemma(tmp_path / "m")))
    encoder = BiEncoder(found.backbone, found.tokenizer, found.settings)
    learns = [name for name, value in encoder.named_parameters() if "projections" in name and value.requires_grad]
    assert learns == [f"backbone.projections.steps.{number}.linear.weight" for number in (0, 1)]
    reranker = cross_encoder_from(CrossEncoderConfig(max_tokens=40, max_query_tokens=12), encoder)
    assert len(reranker.backbone.projections) == 0
    assert len(encoder.backbone.projections) == 2


def test_a_reranker_made_of_such_an_encoder_is_the_same_after_saving(tmp_path, qwen):
    config = CrossEncoderConfig(max_tokens=60, max_query_tokens=12, layers=2)
    made = cross_encoder_from(config, load_bi_encoder(qwen)).eval()
    made.save(tmp_path / "m")
    again = load_cross_encoder(tmp_path / "m")
    rows = made.tokenizer.encode_pairs_counted(TEXTS[:2], TEXTS[2:4], 60, 12)[0]
    torch.testing.assert_close(again(rows), made(rows), rtol=0, atol=0)
    assert len(again.backbone.layers) == 2


@pytest.mark.parametrize("rows", [[], [[]], [[1], []]])
def test_rows_without_tokens_are_refused(qwen, rows):
    with pytest.raises(ValueError, match="every row needs a token"):
        load(str(qwen)).backbone(rows)
