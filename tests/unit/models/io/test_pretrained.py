from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys

import pytest
import torch

from retrieval.errors import ArtifactError, ConfigError, ModelError
from retrieval.models.bi_encoder import load_bi_encoder
from retrieval.models.io.pretrained import load, load_folder
from tests.helpers.tiny_models import write_bi_encoder, write_multilingual_encoder


@pytest.fixture
def saved(encoder, tmp_path):
    encoder.save(tmp_path / "saved")
    return tmp_path / "saved"


@pytest.mark.parametrize("layers", [1, 2])
def test_layers_keeps_the_lowest_ones(encoder_folder, layers):
    rows = [[0, 5, 6, 7, 2]]
    whole, cut = load(str(encoder_folder)).backbone, load(str(encoder_folder), layers).backbone
    with torch.inference_mode():
        torch.testing.assert_close(cut(rows), whole.run(whole.embed(rows), [5], last=layers))


def test_settings_of_a_sentence_transformers_folder_are_read_off_its_files(tmp_path):
    write_bi_encoder(tmp_path / "bkai")
    settings = load(str(tmp_path / "bkai")).settings
    assert (settings.kind, settings.pooling, settings.normalize) == (
        "bi-encoder",
        "mean",
        True,
    )  # no Normalize, but cosine
    assert (settings.text_kind, settings.dimension, settings.max_tokens) == ("segmented", 32, 48)
    assert settings.max_passage_tokens == 48


def test_roberta_positions_start_after_the_padding_id(tmp_path):
    write_bi_encoder(tmp_path / "bkai")
    (tmp_path / "bkai" / "sentence_bert_config.json").unlink()
    assert load(str(tmp_path / "bkai")).settings.max_tokens == 62


def test_weights_kept_by_torch_save_are_the_same(tmp_path):
    write_bi_encoder(tmp_path / "a")
    write_bi_encoder(tmp_path / "b", pickled=True)
    states = [load(str(tmp_path / name)).backbone.state_dict() for name in "ab"]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


class _Intruder:
    def __reduce__(self):
        return os.mkdir, ("INTRUDED",)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, monkeypatch):
    write_bi_encoder(tmp_path / "m", pickled=True)
    torch.save({"embeddings": _Intruder()}, tmp_path / "m" / "pytorch_model.bin")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"pytorch_model\.bin: refused"):
        load(str(tmp_path / "m"))
    (tmp_path / "m" / "pytorch_model.bin").write_bytes(pickle.dumps(_Intruder()))
    with pytest.raises(ModelError, match=r"pytorch_model\.bin: refused"):
        load(str(tmp_path / "m"))
    assert not (tmp_path / "INTRUDED").exists()


def test_a_saved_folder_holds_no_pickle(saved):
    names = {path.name for path in saved.rglob("*")}
    assert {"model.safetensors", "tokenizer.json", "config.json", "settings.json", "manifest.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "settings.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "altered"])
def test_a_damaged_saved_folder_is_one_artifact_error_that_names_the_file(saved, name, damage):
    path = saved / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else content[:-2] + b"7}")
    with pytest.raises(ArtifactError, match=name.replace(".", r"\.")):
        load_bi_encoder(saved)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.5, 0.99])
def test_truncated_weights_without_a_manifest_are_a_model_error(saved, share):
    (saved / "manifest.json").unlink()
    path = saved / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError, match=r"model\.safetensors: cut short or damaged"):
        load_bi_encoder(saved)


def change_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_hidden_layers": 5}, "tensors missing"),
        ({"hidden_size": 16}, "weights do not fit config.json"),
        ({"model_type": "gpt2"}, "weights do not fit config.json"),
        ({"model_type": "gpt-one"}, "model type 'gpt-one' is not one that transformers .* knows"),
        ({"model_type": 3}, "model type 3 is not one of"),
        ({"vocab_size": 7}, "do not fit"),
    ],
)
def test_weights_that_do_not_fit_their_config_are_named(tmp_path, encoder_folder, change, message):
    folder = shutil.copytree(encoder_folder, tmp_path / "m")
    change_config(folder, **change)
    with pytest.raises(ModelError, match=message):
        load(str(folder))


def test_loading_and_encoding_take_neither_transformers_nor_torchs_compiler(saved):
    probe = (
        "import sys; from pathlib import Path; from retrieval.models.bi_encoder import load_bi_encoder;"
        " from retrieval.runtime import choose_runtime;"
        f" load_bi_encoder(Path({str(saved)!r})).encode_queries(['luật'], choose_runtime());"
        " sys.exit(' '.join({'transformers', 'torch._dynamo', 'sympy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_tokenizer_with_more_ids_than_the_table_is_refused(tmp_path):
    write_multilingual_encoder(tmp_path / "m", vocabulary=9)
    with pytest.raises(ModelError, match="ids, the weights 9; they do not fit"):
        load(str(tmp_path / "m"))


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_that_lacks_a_part_is_a_model_error(tmp_path, encoder_folder, missing):
    folder = shutil.copytree(encoder_folder, tmp_path / "m")
    (folder / missing).unlink()
    for name in ("text_tokenizer.json", "tokenizer_config.json"):
        if missing == "tokenizer.json":
            (folder / name).unlink()
    with pytest.raises(ModelError):
        load_folder(folder)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bundled:e5-large", "no such bundled model; the only one is bundled:multilingual-e5-small"),
        ("/no/such/folder", "no such model folder"),
        ("just-a-word", "no such model folder"),
    ],
)
def test_a_wrong_name_is_a_config_error(name, message):
    with pytest.raises(ConfigError, match=message):
        load(name)


def test_a_hub_id_without_network_is_one_clear_error(monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="bkai-foundation-models/vietnamese-bi-encoder: cannot be downloaded"):
        load("bkai-foundation-models/vietnamese-bi-encoder")
