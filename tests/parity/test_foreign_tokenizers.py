"""Tokenizers of other libraries' folders: our ids are transformers', or what is not done is refused by name."""

from __future__ import annotations

import json

import pytest
from tokenizers import AddedToken

from retrieval.errors import ModelError
from retrieval.models.io.pretrained import load
from tests.helpers.foreign_folders import (
    TEXTS,
    TOKENIZERS,
    edit,
    long_text,
    write_sentence_transformer,
    write_transformer,
)
from tests.helpers.foreign_vectors import assert_same, assert_same_or_refused

TRANSFORMER_FILE = "sentence_bert_config.json"
ADDED = {
    "words": ("[ĐIỀU]", "blds"),
    "stripping": (AddedToken("[ĐIỀU]", lstrip=True, rstrip=True), AddedToken("blds", normalized=False)),
    "special": (AddedToken("[ĐIỀU]", special=True),),
}


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


def test_the_tokenizers_own_length_counts_where_nothing_else_is_said(tmp_path):
    folder = write_sentence_transformer(tmp_path / "m")
    edit(folder / "tokenizer_config.json", model_max_length=17)
    assert_same(folder, [long_text(80)])


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


@pytest.mark.parametrize("family", list(TOKENIZERS))
def test_special_tokens_written_out_in_a_text(tmp_path, family):
    write_transformer(tmp_path / "m", family)
    assert_same(
        tmp_path / "m", ["<pad>", "khoản <pad> 1 [PAD] điểm a", "</s> luật <mask>", "[SEP] [MASK] <s>", "<unk>"]
    )


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
