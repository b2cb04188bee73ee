"""Reranker folders of other libraries: our logits are theirs, or what is not done is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder as TheirCrossEncoder
from sentence_transformers.sentence_transformer import modules as st_modules

from retrieval.errors import ModelError
from retrieval.models.cross_encoder import load_cross_encoder
from retrieval.runtime import Runtime
from tests.helpers.foreign_folders import TEXTS, TOKENIZERS, edit, in_format, long_text, write_transformer

RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)
QUERY = "nghỉ hằng năm bao nhiêu ngày"
LONG = [
    (QUERY, long_text(100)),
    (long_text(100, 1), "thuê nhà"),
    (long_text(100, 1), long_text(100, 2)),
    (long_text(101, 3), long_text(40, 4)),
    (long_text(26, 3), long_text(31, 4)),
]


def assert_same(folder: Path, pairs=tuple((QUERY, text) for text in TEXTS), tolerance: float = 2e-5) -> None:
    expected = TheirCrossEncoder(str(folder), device="cpu").predict(list(pairs), activation_fn=torch.nn.Identity())
    np.testing.assert_allclose(load_cross_encoder(folder).score(list(pairs), RUNTIME), expected, atol=tolerance)


def write_cross_encoder(folder: Path, family: str = "xlm-roberta", **options: object) -> Path:
    """A folder as ``CrossEncoder.save`` leaves it."""
    bare = folder.with_name(f"{folder.name}-bare")
    write_transformer(bare, family, labels=1)
    TheirCrossEncoder(str(bare), device="cpu", **options).save(str(folder))
    return folder


@pytest.mark.parametrize("family", list(TOKENIZERS))
@pytest.mark.parametrize("weights", ["safetensors", "pytorch_model.bin", "sharded safetensors", "sharded bin"])
def test_a_checkpoint_of_transformers_in_any_weight_format(tmp_path, family, weights):
    write_transformer(tmp_path / "m", family, labels=1)
    in_format(tmp_path / "m", weights)
    assert_same(tmp_path / "m")


@pytest.mark.parametrize("family", list(TOKENIZERS))
def test_a_folder_of_sentence_transformers_itself(tmp_path, family):
    assert_same(write_cross_encoder(tmp_path / "m", family))


@pytest.mark.parametrize("family", list(TOKENIZERS))
def test_pairs_that_are_too_long_lose_the_same_tokens(tmp_path, family):
    assert_same(write_cross_encoder(tmp_path / "m", family), LONG)


@pytest.mark.parametrize("longest", [24, 31])
def test_the_length_that_the_folder_names(tmp_path, longest):
    assert_same(write_cross_encoder(tmp_path / "m", max_length=longest), LONG)


def test_a_reranker_of_an_older_version_without_modules(tmp_path):
    write_transformer(tmp_path / "m", labels=1)
    edit(tmp_path / "m/config.json", sbert_ce_default_activation_function="torch.nn.modules.linear.Identity")
    assert_same(tmp_path / "m")


@pytest.mark.parametrize("activation", ["Sigmoid", "Identity"])
def test_logits_are_the_same_whatever_is_done_with_them_there(tmp_path, activation):
    assert_same(write_cross_encoder(tmp_path / "m", activation_fn=getattr(torch.nn, activation)()))


@pytest.mark.parametrize("names", [["input_ids", "attention_mask"], ["input_ids", "token_type_ids", "attention_mask"]])
def test_token_types_are_given_to_bert_where_its_tokenizer_names_them(tmp_path, names):
    write_transformer(tmp_path / "m", "bert", labels=1)
    edit(tmp_path / "m/tokenizer_config.json", model_input_names=names)
    assert_same(tmp_path / "m")


def test_added_tokens(tmp_path):
    for family in TOKENIZERS:
        write_transformer(tmp_path / family, family, labels=1, added=("[ĐIỀU]", "blds"))
        assert_same(tmp_path / family)


def test_more_labels_than_one_are_refused(tmp_path):
    write_transformer(tmp_path / "m", labels=3)
    with pytest.raises(ModelError, match="3 labels"):
        load_cross_encoder(tmp_path / "m")


@pytest.mark.parametrize(
    ("name", "values", "named"),
    [
        ("config_sentence_transformers.json", {"prompts": {"query": "hỏi: "}}, "prompts"),
        ("sentence_bert_config.json", {"transformer_task": "text-generation"}, "text-generation"),
        ("sentence_bert_config.json", {"module_output_name": "causal_logits"}, "causal_logits"),
    ],
)
def test_settings_that_change_scores_are_refused_by_name(tmp_path, name, values, named):
    folder = write_cross_encoder(tmp_path / "m")
    edit(folder / name, **values)
    with pytest.raises(ModelError, match=named):
        load_cross_encoder(folder)


def test_modules_after_the_head_are_refused_by_name(tmp_path):
    folder = write_cross_encoder(tmp_path / "m")
    listed = json.loads((folder / "modules.json").read_text())
    listed.append({"idx": 1, "name": "1", "path": "1_Dense", "type": "sentence_transformers.base.modules.dense.Dense"})
    (folder / "1_Dense").mkdir()
    st_modules.Dense(1, 1, module_input_name="scores", module_output_name="scores").save(str(folder / "1_Dense"))
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(ModelError, match="Dense"):
        load_cross_encoder(folder)


def test_a_folder_written_here_gives_the_same_again(tmp_path):
    folder = write_cross_encoder(tmp_path / "m", "bert")
    reranker = load_cross_encoder(folder)
    reranker.save(tmp_path / "saved")
    pairs = [*LONG, (QUERY, TEXTS[0])]
    expected = reranker.score(pairs, RUNTIME)
    np.testing.assert_array_equal(load_cross_encoder(tmp_path / "saved").score(pairs, RUNTIME), expected)


@pytest.mark.parametrize("family", ["xlm-roberta", "roberta", "phobert"])
def test_a_pooler_that_an_old_checkpoint_has_beside_its_head_is_not_read(tmp_path, family):
    write_transformer(tmp_path / "m", family, labels=1)
    state = load_file(tmp_path / "m/model.safetensors")
    state |= {"roberta.pooler.dense.weight": torch.randn(32, 32), "roberta.pooler.dense.bias": torch.randn(32)}
    save_file(state, tmp_path / "m/model.safetensors", metadata={"format": "pt"})
    assert_same(tmp_path / "m")


def test_a_head_of_bert_without_its_pooler_is_refused(tmp_path):
    write_transformer(tmp_path / "m", "bert", labels=1)
    state = {name: one for name, one in load_file(tmp_path / "m/model.safetensors").items() if "pooler" not in name}
    save_file(state, tmp_path / "m/model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"head lacks the layer before its last \(pooler\.dense"):
        load_cross_encoder(tmp_path / "m")
