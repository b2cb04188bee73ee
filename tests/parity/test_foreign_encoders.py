"""Encoder folders of other libraries: our vectors are theirs, or what is not done is refused by name."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules as st_modules

from retrieval.errors import ModelError
from retrieval.models.bi_encoder import BiEncoder
from retrieval.models.io.pretrained import load
from tests.helpers.foreign_folders import (
    TEXTS,
    TOKENIZERS,
    edit,
    in_format,
    long_text,
    write_sentence_transformer,
    write_transformer,
)
from tests.helpers.foreign_vectors import assert_same, ours, theirs

MODEL_FILE, TRANSFORMER_FILE = "config_sentence_transformers.json", "sentence_bert_config.json"
POOLINGS = st_modules.Pooling.POOLING_MODES


@pytest.mark.parametrize("family", list(TOKENIZERS))
@pytest.mark.parametrize(
    "weights",
    ["safetensors", "pytorch_model.bin", "sharded safetensors", "sharded bin", "float16", "bfloat16"],
)
def test_a_bare_transformer_in_any_weight_format(tmp_path, family, weights):
    write_transformer(tmp_path / "m", family)
    in_format(tmp_path / "m", weights)
    assert_same(tmp_path / "m", tolerance={"float16": 2e-3, "bfloat16": 2e-2}.get(weights, 2e-5))


@pytest.mark.parametrize("family", list(TOKENIZERS))
@pytest.mark.parametrize("mode", POOLINGS)
def test_every_pooling(tmp_path, family, mode):
    folder = write_sentence_transformer(tmp_path / "m", family=family, pooling=mode)
    assert_same(folder, [*TEXTS, long_text(90)])


@pytest.mark.parametrize("flag", ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens",
                                  "weightedmean_tokens", "lasttoken"])  # fmt: skip
def test_every_pooling_under_its_old_name(tmp_path, flag):
    folder = write_sentence_transformer(tmp_path / "m", pooling="mean")
    values = {"word_embedding_dimension": 32} | {
        f"pooling_mode_{one}": one == flag for one in ("cls_token", "mean_tokens", "max_tokens", flag)
    }
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(values))
    assert_same(folder)


def test_two_poolings_at_once_are_refused_by_name(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m", pooling=("cls", "max"))
    with pytest.raises(ModelError, match=r"1_Pooling.config\.json: puts the poolings cls and max one behind the other"):
        load(str(folder))


@pytest.mark.parametrize(
    ("extra", "tail"),
    [
        ("Normalize", []),
        ("Dropout", []),
        ("Normalize, Normalize", []),
        ("Dropout, Normalize", []),
    ],
)
def test_modules_that_are_run(tmp_path, extra, tail):
    made = {"Normalize": st_modules.Normalize, "Dropout": lambda: st_modules.Dropout(0.3)}
    folder = write_sentence_transformer(tmp_path / "m", *[made[name]() for name in extra.split(", ")], *tail)
    assert_same(folder)


CHAINS = {
    "Dense": lambda: [st_modules.Dense(32, 32)],
    "wider Dense": lambda: [st_modules.Dense(32, 48, activation_function=torch.nn.Identity())],
    "narrower Dense without bias": lambda: [st_modules.Dense(32, 7, bias=False, activation_function=torch.nn.GELU())],
    "residual Dense": lambda: [st_modules.Dense(32, 32, use_residual=True)],
    "residual Dense of another width": lambda: [st_modules.Dense(32, 12, use_residual=True)],
    "LayerNorm": lambda: [st_modules.LayerNorm(32)],
    "two Dense and a LayerNorm": lambda: [st_modules.Dense(32, 64), st_modules.Dense(64, 24), st_modules.LayerNorm(24)],
    "Normalize in between": lambda: [st_modules.Normalize(), st_modules.Dense(32, 16), st_modules.Normalize()],
}


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("chain", list(CHAINS))
def test_modules_after_the_pooling_are_run_and_saved(tmp_path, chain, similarity):
    folder = write_sentence_transformer(tmp_path / "m", *CHAINS[chain](), similarity_fn_name=similarity)
    assert_same(folder)
    found = load(str(folder))
    encoder = BiEncoder(found.backbone, found.tokenizer, found.settings)
    assert found.settings.dimension == ours(folder).shape[1]
    encoder.save(tmp_path / "saved")
    np.testing.assert_array_equal(ours(tmp_path / "saved"), ours(folder))
    assert_same(tmp_path / "saved")


@pytest.mark.parametrize(
    ("module", "values", "named"),
    [
        (lambda: st_modules.Normalize("token_embeddings"), {}, "token_embeddings"),
        (lambda: st_modules.Dense(32, 8), {"module_input_name": "token_embeddings"}, "token_embeddings"),
        (lambda: st_modules.Dense(32, 8), {"activation_function": "their_code.Swish"}, r"their_code\.Swish"),
        (lambda: st_modules.Dense(32, 8), {"in_features": 30}, "in_features is 30, but vectors before it have 32"),
        (lambda: st_modules.Dense(32, 8), {"out_features": 9}, "weights do not fit"),
        (lambda: st_modules.Dense(32, 8), {"gate": 3}, "gate is 3"),
        (lambda: st_modules.LayerNorm(32), {"dimension": 8}, "dimension is 8"),
    ],
)
def test_modules_after_the_pooling_that_are_not_done_are_refused_by_name(tmp_path, module, values, named):
    made = module()
    folder = write_sentence_transformer(tmp_path / "m", made)
    edit(folder / f"2_{type(made).__name__}/config.json", **values)
    with pytest.raises(ModelError, match=named):
        load(str(folder))


def test_a_projection_whose_weights_are_missing_is_named(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m", st_modules.Dense(32, 8))
    (folder / "2_Dense/model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"2_Dense: no model\.safetensors"):
        load(str(folder))


@pytest.mark.parametrize("kind", ["CNN", "LSTM", "WeightedLayerPooling", "BoW", "WordEmbeddings", "Router",
                                  "StaticEmbedding", "CLIPModel"])  # fmt: skip
def test_modules_before_the_pooling_are_refused_by_name(tmp_path, kind):
    folder = write_sentence_transformer(tmp_path / "m")
    listed = json.loads((folder / "modules.json").read_text())
    listed.insert(1, {"idx": 1, "name": "1", "path": f"1_{kind}", "type": f"sentence_transformers.models.{kind}"})
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(ModelError, match=kind):
        load(str(folder))


def test_a_module_of_code_beside_the_weights_is_refused_by_its_name(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m")
    listed = json.loads((folder / "modules.json").read_text())
    listed[1]["type"] = "custom_pooling.Pooling"
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(ModelError, match=r"custom_pooling\.Pooling"):
        load(str(folder))


@pytest.mark.parametrize("prefix", ["sentence_transformers.models.", "sentence_transformers.base.modules.x."])
def test_types_by_their_old_and_new_paths(tmp_path, prefix):
    folder = write_sentence_transformer(tmp_path / "m", st_modules.Normalize())
    listed = json.loads((folder / "modules.json").read_text())
    wanted = theirs(folder)
    for item in listed:
        item["type"] = prefix + item["type"].rpartition(".")[2]
    (folder / "modules.json").write_text(json.dumps(listed))
    np.testing.assert_allclose(ours(folder), wanted, atol=2e-5)


def test_a_transformer_in_a_folder_of_its_own_is_found_by_its_path(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m")
    (folder / "0_Transformer").mkdir()
    for path in list(folder.iterdir()):
        if path.is_file() and path.name not in {"modules.json", MODEL_FILE}:
            path.rename(folder / "0_Transformer" / path.name)
    listed = json.loads((folder / "modules.json").read_text())
    listed[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(listed))
    assert_same(folder)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_vectors_have_unit_length_where_cosine_compares_them(tmp_path, similarity):
    folder = write_sentence_transformer(tmp_path / "m", similarity_fn_name=similarity)
    assert_same(folder)
    assert load(str(folder)).settings.normalize == (similarity == "cosine")


@pytest.mark.parametrize("similarity", ["euclidean", "manhattan"])
def test_other_similarities_are_refused_by_name(tmp_path, similarity):
    folder = write_sentence_transformer(tmp_path / "m", similarity_fn_name=similarity)
    with pytest.raises(ModelError, match=similarity):
        load(str(folder))


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"])
def test_lengths_under_every_file_name(tmp_path, kind):
    folder = write_sentence_transformer(tmp_path / "m")
    (folder / TRANSFORMER_FILE).unlink()
    edit(folder / f"sentence_{kind}_config.json", max_seq_length=12, do_lower_case=False)
    assert_same(folder, [long_text(40, seed) for seed in range(3)])
    assert load(str(folder)).settings.max_tokens == 12


@pytest.mark.parametrize(
    "values",
    [
        {"max_seq_length": 20},
        {"tokenizer_args": {"model_max_length": 14}, "max_seq_length": 20},
        {"processor_kwargs": {"model_max_length": 14}},
        {"processing_kwargs": {"text": {"max_length": 11, "truncation": True}}},
        {"processing_kwargs": {"common": {"padding": True}}},
        {"unpad_inputs": False},
    ],
    ids=str,
)
def test_lengths_in_every_place(tmp_path, values):
    folder = write_sentence_transformer(tmp_path / "m")
    edit(folder / TRANSFORMER_FILE, **values)
    assert_same(folder, [long_text(80, seed) for seed in range(3)])


def test_queries_and_documents_may_have_lengths_of_their_own(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m")
    edit(folder / TRANSFORMER_FILE, query_length=9, document_length=21)
    model, texts = SentenceTransformer(str(folder), device="cpu"), [long_text(80, seed) for seed in range(3)]
    for queries, encode in ((True, model.encode_query), (False, model.encode_document)):
        expected = encode(texts, normalize_embeddings=True)
        np.testing.assert_allclose(ours(folder, texts, queries), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"processing_kwargs": {"text": {"add_special_tokens": False}}}, "add_special_tokens"),
        ({"transformer_task": "fill-mask"}, "fill-mask"),
        ({"query_expansion": {"token": "[MASK]"}}, "query_expansion"),
        ({"module_output_name": "sentence_embedding"}, "module_output_name"),
        ({"config_kwargs": {"num_hidden_layers": 1}}, "num_hidden_layers"),
        ({"model_kwargs": {"rotary": True}}, "rotary"),
        ({"some_new_switch": 3}, "some_new_switch"),
        ({"max_seq_length": "many"}, "many"),
        ({"query_length": "many"}, "many"),
        ({"document_length": -1}, "-1"),
    ],
)
def test_settings_of_the_transformer_that_are_not_done_are_refused_by_name(tmp_path, values, named):
    folder = write_sentence_transformer(tmp_path / "m")
    edit(folder / TRANSFORMER_FILE, **values)
    with pytest.raises(ModelError, match=named):
        load(str(folder))


def test_a_checkpoint_with_a_head_is_an_encoder_where_modules_say_so(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m")
    write_transformer(tmp_path / "head", labels=2)
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(tmp_path / "head" / name, folder / name)
    assert_same(folder)


def test_a_folder_written_here_gives_the_same_in_sentence_transformers(tmp_path):
    for number, mode in enumerate(POOLINGS):
        folder = write_sentence_transformer(
            tmp_path / f"{number}",
            pooling=mode,
            prompts={"query": "query: "},
            similarity_fn_name="dot" if number % 2 else "cosine",
        )
        found = load(str(folder))
        BiEncoder(found.backbone, found.tokenizer, found.settings).save(tmp_path / f"saved-{number}")
        again = SentenceTransformer(str(tmp_path / f"saved-{number}"), device="cpu")
        assert again.similarity_fn_name == ("dot" if number % 2 else "cosine")
        np.testing.assert_allclose(again.encode(list(TEXTS), prompt_name="query"), ours(folder), atol=2e-5)


def test_the_longest_input_under_its_first_name(tmp_path):
    write_transformer(tmp_path / "m", "bert")
    edit(tmp_path / "m/tokenizer_config.json", model_max_length=None, max_len=20)
    assert_same(tmp_path / "m", [long_text(80)])


@pytest.mark.parametrize("kept", [16, 32, 64])
def test_vectors_that_are_to_be_cut_are_refused_by_name(tmp_path, kept):
    folder = write_sentence_transformer(tmp_path / "m")
    edit(folder / MODEL_FILE, truncate_dim=kept)
    if kept < 32:
        with pytest.raises(ModelError, match="truncate_dim is 16"):
            load(str(folder))
    else:
        assert_same(folder)


def test_positions_of_no_named_type_are_the_usual_ones(tmp_path):
    write_transformer(tmp_path / "m")
    content = json.loads((tmp_path / "m/config.json").read_text())
    (tmp_path / "m/config.json").write_text(json.dumps(content | {"position_embedding_type": None}))
    assert_same(tmp_path / "m")


def test_a_model_of_code_of_its_own_is_named_where_its_weights_do_not_fit(tmp_path):
    write_transformer(tmp_path / "m")
    edit(tmp_path / "m/config.json", auto_map={"AutoModel": "modeling.Other"}, num_hidden_layers=3)
    with pytest.raises(ModelError, match="code of its own"):
        load(str(tmp_path / "m"))
