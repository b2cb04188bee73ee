from __future__ import annotations

import json
import shutil

import pytest

from retrieval.config.schema import BiEncoderConfig
from retrieval.errors import ConfigError, ModelError
from retrieval.models.bi_encoder import bi_encoder_from, load_bi_encoder
from retrieval.models.io.pretrained import load
from tests.helpers.foreign_folders import edit, write_sentence_transformer, write_transformer


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "m"
    write_transformer(folder)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "m")


ADAPTER = {"peft_type": "LORA", "base_model_name_or_path": "BAAI/bge-m3", "r": 8}


def test_an_adapter_names_its_base_and_how_to_merge_it(tmp_path):
    edit(tmp_path / "adapter_config.json", **ADAPTER)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"adapter \(LORA\) of BAAI/bge-m3.*merge_and_unload"):
        load(str(tmp_path))


def test_an_adapter_beside_a_whole_base_is_not_left_out_in_silence(folder):
    edit(folder / "adapter_config.json", **ADAPTER)
    with pytest.raises(ModelError, match="adapter"):
        load(str(folder))


def test_an_adapter_in_a_folder_of_modules_is_found(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m")
    (folder / "0_Transformer").mkdir()
    edit(folder / "0_Transformer/adapter_config.json", **ADAPTER)
    with pytest.raises(ModelError, match="adapter"):
        load(str(folder))


def test_quantised_weights_are_named(folder):
    edit(folder / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(ModelError, match="quantised by gptq"):
        load(str(folder))


@pytest.mark.parametrize(
    "name", ["model.onnx", "model.gguf", "tf_model.h5", "flax_model.msgpack", "model.int8.safetensors"]
)
def test_weights_of_another_kind_are_named(folder, name):
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(ModelError, match=f"only {name}.*save_pretrained"):
        load(str(folder))


def test_a_missing_shard_is_named(folder):
    places = {"embeddings.word_embeddings.weight": "model-00001-of-00002.safetensors"}
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    with pytest.raises(ModelError, match=r"model-00001-of-00002\.safetensors: missing"):
        load(str(folder))


def test_a_folder_above_the_model_says_which_is_meant(folder):
    with pytest.raises(ModelError, match="the models lie in m below it"):
        load(str(folder.parent))


def test_a_place_of_the_hubs_cache_says_which_folder_is_meant(whole, tmp_path):
    place = tmp_path / "models--nhom--m"
    shutil.copytree(whole, place / "snapshots/0123")
    with pytest.raises(ModelError, match=r"name .*snapshots/0123 or the hub id"):
        load(str(place))


def test_parts_of_sentence_transformers_without_their_list_are_not_ignored(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m", pooling="cls")
    (folder / "modules.json").unlink()
    with pytest.raises(ModelError, match=r"has 1_Pooling but no modules\.json"):
        load(str(folder))
    shutil.rmtree(folder / "1_Pooling")
    edit(folder / "config_sentence_transformers.json", prompts={"query": "q: "})
    with pytest.raises(ModelError, match=r"config_sentence_transformers\.json but no modules\.json"):
        load(str(folder))


def test_a_pooling_whose_settings_are_missing_is_not_taken_for_a_mean(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m", pooling="cls")
    (folder / "1_Pooling/config.json").unlink()
    with pytest.raises(ModelError, match=r"1_Pooling.config\.json: missing"):
        load(str(folder))


def test_a_manifest_of_another_program_is_no_manifest_of_ours(folder):
    edit(folder / "manifest.json", name="an app", icons=[])
    assert load(str(folder)).settings.dimension == 32


@pytest.mark.parametrize("name", ["modules.json", "sentence_bert_config.json", "config_sentence_transformers.json",
                                  "1_Pooling/config.json", "tokenizer_config.json"])  # fmt: skip
@pytest.mark.parametrize("content", ["{", "[]", "3"])
def test_damaged_settings_are_one_error_that_names_the_file(tmp_path, name, content):
    folder = write_sentence_transformer(tmp_path / "m")
    (folder / name).write_text(content)
    with pytest.raises(ModelError, match=name.rpartition("/")[2].replace(".", r"\.")):
        load(str(folder))


def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m")
    listed = json.loads((folder / "modules.json").read_text())
    listed[1]["path"] = "../1_Pooling"
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(ModelError, match="outside its folder"):
        load(str(folder))


def test_vectors_of_any_length_are_not_trained_at_a_temperature_for_cosines(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m", similarity_fn_name="dot")
    base = {"base": str(folder), "max_query_tokens": 16, "max_passage_tokens": 32}
    with pytest.raises(ConfigError, match=r"temperature: 0\.02 is for cosines.*similarity dot.*normalize to true"):
        bi_encoder_from(BiEncoderConfig(**base))
    assert not bi_encoder_from(BiEncoderConfig(**base, temperature=1.0)).settings.normalize
    assert bi_encoder_from(BiEncoderConfig(**base, normalize=True)).settings.normalize
    assert not load_bi_encoder(folder).settings.normalize
    with pytest.raises(ConfigError, match=r"bi_encoder\.normalize is false"):
        bi_encoder_from(BiEncoderConfig(**base, normalize=False))
