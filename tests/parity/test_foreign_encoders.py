"""Encoder folders of other libraries: our vectors are theirs, or what is not done is refused by name."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules as st_modules
from tokenizers import AddedToken

from retrieval.errors import ModelError, RetrievalError
from retrieval.models.encoder import BiEncoder
from retrieval.models.pretrained import load
from retrieval.runtime import Runtime
from tests.foreign_folders import (
    TEXTS,
    TOKENIZERS,
    edit,
    in_format,
    long_text,
    write_sentence_transformer,
    write_transformer,
)

RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)
MODEL_FILE, TRANSFORMER_FILE = "config_sentence_transformers.json", "sentence_bert_config.json"
POOLINGS = st_modules.Pooling.POOLING_MODES


@pytest.fixture(autouse=True)
def quiet():
    transformers.utils.logging.disable_progress_bar()


def ours(folder: Path, texts=TEXTS, queries: bool = True) -> np.ndarray:
    found = load(str(folder))
    encoder = BiEncoder(found.backbone, found.tokenizer, found.settings)
    return (encoder.encode_queries if queries else encoder.encode_passages)(list(texts), RUNTIME)


def theirs(folder: Path, texts=TEXTS, **encode: object) -> np.ndarray:
    model = SentenceTransformer(str(folder), device="cpu")
    unit = model.similarity_fn_name == "cosine"
    return model.encode(list(texts), normalize_embeddings=unit, **encode)


def assert_same(folder: Path, texts=TEXTS, tolerance: float = 2e-5, **encode: object) -> None:
    expected = theirs(folder, texts, **encode)
    for queries in (True, False):
        np.testing.assert_allclose(ours(folder, texts, queries), expected, atol=tolerance)


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


@pytest.mark.parametrize(
    "module",
    [
        lambda: st_modules.Dense(32, 32),
        lambda: st_modules.Dense(32, 48, activation_function=torch.nn.Identity()),
        lambda: st_modules.LayerNorm(32),
        lambda: st_modules.Normalize("token_embeddings"),
    ],
    ids=["Dense", "wider Dense", "LayerNorm", "Normalize of tokens"],
)
def test_modules_that_change_vectors_are_refused_by_name(tmp_path, module):
    made = module()
    folder = write_sentence_transformer(tmp_path / "m", made)
    with pytest.raises(ModelError, match=f"{type(made).__name__}|token_embeddings"):
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


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "roberta"])
def test_lower_casing_before_the_tokenizer(tmp_path, family):
    folder = write_sentence_transformer(tmp_path / "m", family=family)
    edit(folder / TRANSFORMER_FILE, do_lower_case=True)
    assert_same(folder)


def test_lower_casing_before_phoberts_tokenizer_is_refused(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m", family="phobert")
    edit(folder / TRANSFORMER_FILE, do_lower_case=True)
    with pytest.raises(ModelError, match="do_lower_case"):
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


def test_the_tokenizers_own_length_counts_where_nothing_else_is_said(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m")
    edit(folder / "tokenizer_config.json", model_max_length=17)
    assert_same(folder, [long_text(80)])


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
    ],
)
def test_settings_of_the_transformer_that_are_not_done_are_refused_by_name(tmp_path, values, named):
    folder = write_sentence_transformer(tmp_path / "m")
    edit(folder / TRANSFORMER_FILE, **values)
    with pytest.raises(ModelError, match=named):
        load(str(folder))


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "phobert"])
@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("mode", ["mean", "cls", "weightedmean"])
def test_prompts_and_whether_they_are_pooled(tmp_path, family, include, mode):
    prompts = {"query": "search query: ", "document": "passage: "}
    folder = write_sentence_transformer(tmp_path / "m", family=family, pooling=mode, prompts=prompts)
    edit(folder / "1_Pooling" / "config.json", include_prompt=include)
    for queries, name in ((True, "query"), (False, "document")):
        np.testing.assert_allclose(ours(folder, TEXTS, queries), theirs(folder, prompt_name=name), atol=2e-5)


@pytest.mark.parametrize(
    ("prompts", "default", "expected"),
    [
        ({"query": "q: ", "passage": "p: "}, None, ("q: ", "p: ")),
        ({"query": "q: ", "corpus": "c: "}, None, ("q: ", "c: ")),
        ({"query": "q: "}, None, ("q: ", "")),
        ({"query": "q: ", "document": ""}, None, ("q: ", "")),
        ({"query": "q: ", "document": None}, None, ("q: ", "")),
        ({"retrieval.query": "q: ", "retrieval.passage": "p: "}, None, ("q: ", "p: ")),
        ({"search_query": "q: ", "search_document": "d: ", "classification": "c: "}, None, ("q: ", "d: ")),
        ({"Retrieval-query": "q: ", "Retrieval-document": "d: "}, None, ("q: ", "d: ")),
        ({"search": "s: "}, "search", ("s: ", "s: ")),
        ({"query": "q: "}, "query", ("q: ", "")),
        ({"STS": "s: "}, None, ("", "")),
    ],
)
def test_prompts_by_their_names(tmp_path, prompts, default, expected):
    folder = write_sentence_transformer(tmp_path / "m")
    edit(folder / MODEL_FILE, prompts=prompts, default_prompt_name=default)
    settings = load(str(folder)).settings
    assert (settings.query_prefix, settings.passage_prefix) == expected


def test_prompts_that_could_each_be_meant_are_named_and_not_used(tmp_path, caplog):
    folder = write_sentence_transformer(tmp_path / "m")
    edit(folder / MODEL_FILE, prompts={"s2p_query": "a: ", "s2s_query": "b: "})
    with caplog.at_level(logging.WARNING):
        settings = load(str(folder)).settings
    assert settings.query_prefix == ""
    assert "s2p_query, s2s_query" in caplog.text
    assert "bi_encoder.query_prefix" in caplog.text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"default_prompt_name": "lost"}, "default_prompt_name 'lost' is not one of"),
        ({"prompts": {"query": 3}}, "prompt 'query' is 3, not a text"),
        ({"prompts": ["query: "]}, "prompts is"),
        ({"model_type": "SparseEncoder"}, "says SparseEncoder"),
    ],
)
def test_settings_of_the_model_that_make_no_sense_here_are_refused(tmp_path, values, message):
    folder = write_sentence_transformer(tmp_path / "m")
    edit(folder / MODEL_FILE, **values)
    with pytest.raises(ModelError, match=message):
        load(str(folder))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("multilingual-e5-small", ("query: ", "passage: ")),
        ("multilingual-e5-large-instruct", ("Instruct: Given a web search query, retrieve relevant passages that answer"
                                            " the query\nQuery: ", "")),
        ("e5/bge-base", ("", "")),
        ("my-e5-finetune", ("", "")),
        ("models--intfloat--multilingual-e5-base/snapshots/0123", ("query: ", "passage: ")),
        ("models--nhom--multilingual-e5-base/snapshots/0123", ("", "")),
    ],
)  # fmt: skip
def test_prefixes_by_name_are_of_known_models_only(tmp_path, name, expected):
    write_transformer(tmp_path / name)
    settings = load(str(tmp_path / name)).settings
    assert (settings.query_prefix, settings.passage_prefix) == expected


ADDED = {
    "words": ("[ĐIỀU]", "blds"),
    "stripping": (AddedToken("[ĐIỀU]", lstrip=True, rstrip=True), AddedToken("blds", normalized=False)),
    "special": (AddedToken("[ĐIỀU]", special=True),),
}


@pytest.mark.parametrize("family", list(TOKENIZERS))
@pytest.mark.parametrize("added", list(ADDED))
def test_added_tokens(tmp_path, family, added):
    write_transformer(tmp_path / "m", family, added=ADDED[added])
    assert_same(tmp_path / "m", [*TEXTS, "x[ĐIỀU]y blds. BLDS", "[ĐIỀU]"])


def test_added_tokens_that_only_the_old_file_names(tmp_path):
    write_transformer(tmp_path / "m", "xlm-roberta", added=("blds",))
    content = json.loads((tmp_path / "m/tokenizer.json").read_text())
    number = next(one["id"] for one in content["added_tokens"] if one["content"] == "blds")
    content["added_tokens"] = [one for one in content["added_tokens"] if one["content"] != "blds"]
    (tmp_path / "m/tokenizer.json").write_text(json.dumps(content))
    edit(tmp_path / "m/added_tokens.json", blds=number)
    assert_same_or_refused(tmp_path / "m", "blds")


def assert_same_or_refused(folder: Path, named: str, texts=TEXTS) -> None:
    """For what versions of transformers read in different ways."""
    try:
        got = ours(folder, texts)
    except RetrievalError as error:
        assert named in str(error)
        return
    np.testing.assert_allclose(got, theirs(folder, texts), atol=2e-5)


@pytest.mark.parametrize("values", [{"do_lower_case": True}, {"do_lower_case": False}, {"strip_accents": True},
                                    {"tokenize_chinese_chars": False}, {"tokenizer_class": None}], ids=str)  # fmt: skip
@pytest.mark.parametrize("made", [True, False])
def test_flags_of_berts_tokenizer_against_its_own_file(tmp_path, values, made):
    write_transformer(tmp_path / "m", "bert", do_lower_case=made)
    edit(tmp_path / "m/tokenizer_config.json", **values)
    assert_same(tmp_path / "m", [*TEXTS, "第三条 Toà ÁN"])


def test_berts_tokenizer_without_a_configuration_of_its_own(tmp_path):
    write_transformer(tmp_path / "m", "bert", do_lower_case=False)
    (tmp_path / "m/tokenizer_config.json").unlink()
    assert_same(tmp_path / "m")


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "phobert"])
@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"truncation_side": "left"}, "truncation_side"),
        ({"padding_side": "left"}, "padding_side"),
        ({"model_input_names": ["input_ids"]}, "model_input_names"),
        ({"model_input_names": ["input_ids", "attention_mask"]}, "-"),
        ({"add_prefix_space": False}, "add_prefix_space"),
    ],
    ids=str,
)
def test_inputs_and_sides_of_a_tokenizer(tmp_path, family, values, named):
    write_transformer(tmp_path / "m", family)
    edit(tmp_path / "m/tokenizer_config.json", **values)
    assert_same_or_refused(tmp_path / "m", named, [*TEXTS, long_text(90)])


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


@pytest.mark.parametrize("family", list(TOKENIZERS))
def test_special_tokens_written_out_in_a_text(tmp_path, family):
    write_transformer(tmp_path / "m", family)
    assert_same(
        tmp_path / "m", ["<pad>", "khoản <pad> 1 [PAD] điểm a", "</s> luật <mask>", "[SEP] [MASK] <s>", "<unk>"]
    )


def test_the_longest_input_under_its_first_name(tmp_path):
    write_transformer(tmp_path / "m", "bert")
    edit(tmp_path / "m/tokenizer_config.json", model_max_length=None, max_len=20)
    assert_same(tmp_path / "m", [long_text(80)])


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "roberta"])
@pytest.mark.parametrize("part", ["truncation", "padding"])
@pytest.mark.parametrize("side", ["Left", "Right"])
def test_sides_that_only_the_tokenizers_file_names(tmp_path, family, part, side):
    write_transformer(tmp_path / "m", family)
    values = {
        "truncation": {"direction": side, "max_length": 16, "strategy": "LongestFirst", "stride": 0},
        "padding": {"direction": side, "strategy": "BatchLongest", "pad_to_multiple_of": None, "pad_id": 1,
                    "pad_type_id": 0, "pad_token": "<pad>"},
    }  # fmt: skip
    edit(tmp_path / "m/tokenizer.json", **{part: values[part]})
    if side == "Left" and (part == "truncation" or family == "bert"):
        with pytest.raises(ModelError, match=rf"tokenizer\.json: {part}\.direction is Left"):
            load(str(tmp_path / "m"))
    else:
        assert_same(tmp_path / "m", [*TEXTS, long_text(90)])


@pytest.mark.parametrize("family", list(TOKENIZERS))
def test_special_tokens_that_are_to_be_split_are_refused(tmp_path, family):
    write_transformer(tmp_path / "m", family)
    edit(tmp_path / "m/tokenizer_config.json", split_special_tokens=True)
    with pytest.raises(ModelError, match="split_special_tokens is true"):
        load(str(tmp_path / "m"))


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "roberta"])
@pytest.mark.parametrize("place", ["tokenizer_config.json", "special_tokens_map.json"])
@pytest.mark.parametrize("name", ["additional_special_tokens", "extra_special_tokens", "mask_token"])
def test_special_tokens_that_the_tokenizers_file_lacks(tmp_path, family, place, name):
    write_transformer(tmp_path / "m", family, added=("blds",))
    content = json.loads((tmp_path / "m/tokenizer.json").read_text())
    content["added_tokens"] = [one for one in content["added_tokens"] if one["content"] != "blds"]
    (tmp_path / "m/tokenizer.json").write_text(json.dumps(content))
    edit(tmp_path / "m/tokenizer_config.json", added_tokens_decoder=None, mask_token=None)
    edit(tmp_path / "m" / place, **{name: "blds" if name == "mask_token" else ["blds"]})
    assert_same_or_refused(tmp_path / "m", "blds")


@pytest.mark.parametrize("values", [{"additional_special_tokens": ["[X]"]}, {"mask_token": "[X]"},
                                    {"cls_token": "<mask>"}], ids=str)  # fmt: skip
def test_special_tokens_that_phoberts_vocabulary_lacks_are_refused(tmp_path, values):
    write_transformer(tmp_path / "m", "phobert")
    edit(tmp_path / "m/tokenizer_config.json", **values)
    with pytest.raises(ModelError, match=next(iter(values))):
        load(str(tmp_path / "m"))


@pytest.mark.parametrize(("family", "token"), [("bert", "[MASK]"), ("xlm-roberta", "<mask>"), ("roberta", "<mask>")])
@pytest.mark.parametrize("name", ["cls_token", "sep_token", "bos_token", "eos_token"])
def test_another_token_at_the_ends_of_a_text(tmp_path, family, token, name):
    write_transformer(tmp_path / "m", family)
    edit(tmp_path / "m/tokenizer_config.json", **{name: token})
    assert_same(tmp_path / "m")


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "roberta"])
def test_flags_of_an_added_token_that_differ_between_files(tmp_path, family):
    write_transformer(tmp_path / "m", family, added=("blds",))
    content = json.loads((tmp_path / "m/tokenizer.json").read_text())
    [token] = [one for one in content["added_tokens"] if one["content"] == "blds"]
    flags = {key: value for key, value in token.items() if key != "id"}
    edit(tmp_path / "m/tokenizer_config.json", added_tokens_decoder={str(token["id"]): flags | {"single_word": True}})
    assert_same_or_refused(tmp_path / "m", "blds", ["xblds blds", "blds."])


@pytest.mark.parametrize("kept", [16, 32, 64])
def test_vectors_that_are_to_be_cut_are_refused_by_name(tmp_path, kept):
    folder = write_sentence_transformer(tmp_path / "m")
    edit(folder / MODEL_FILE, truncate_dim=kept)
    if kept < 32:
        with pytest.raises(ModelError, match="truncate_dim is 16"):
            load(str(folder))
    else:
        assert_same(folder)


@pytest.mark.parametrize("family", list(TOKENIZERS))
@pytest.mark.parametrize("prompt", ["điều ", "khoản 1 điểm a: "])
def test_a_prompt_of_queries_alone_is_not_taken_from_passages(tmp_path, family, prompt):
    folder = write_sentence_transformer(tmp_path / "m", family=family, prompts={"query": prompt})
    edit(folder / "1_Pooling" / "config.json", include_prompt=False)
    np.testing.assert_allclose(ours(folder), theirs(folder, prompt_name="query"), atol=2e-5)
    texts = [*TEXTS[:3], "khoản 2 điểm b"]
    np.testing.assert_allclose(ours(folder, texts, queries=False), theirs(folder, texts), atol=2e-5)


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
