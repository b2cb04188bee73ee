"""The encoder beside transformers' own: every token, every gradient, and the files both read."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModel
from transformers.activations import ACT2FN

from retrieval.errors import ModelError
from retrieval.models.backbone.attention import padded_layout
from retrieval.models.backbone.bert_config import ACTIVATIONS, read_config
from tests.helpers.tiny_models import FAMILIES

ROWS = [[0, 5, 2], [0, 6, 2], [0, 7, 8, 2], [0, 4, 5, 6, 7, 8, 9, 10, 2]]
TYPES = [[0, 0, 1], [0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0, 0, 1, 1, 1, 1]]
LENGTHS = [len(row) for row in ROWS]


def one_by_one(theirs, types):
    kinds = [None if types is None else torch.tensor([row]) for row in types or ROWS]
    inputs = zip(ROWS, kinds, strict=True)
    states = [theirs(input_ids=torch.tensor([row]), token_type_ids=kind).last_hidden_state for row, kind in inputs]
    return torch.cat([state[0] for state in states])


@pytest.mark.parametrize("types", [None, TYPES])
@pytest.mark.parametrize("padded", [False, True])
def test_every_token_and_gradient_is_that_of_transformers(backbone, theirs, types, padded, monkeypatch):
    if padded:  # as on a GPU
        monkeypatch.setattr("retrieval.models.backbone.bert.layout_of", padded_layout)
    if types and theirs.config.type_vocab_size == 1:
        types = [[0] * length for length in LENGTHS]
    got, expected = backbone(ROWS, types), one_by_one(theirs, types)
    torch.testing.assert_close(got, expected, atol=3e-6, rtol=1e-5)
    weights = torch.randn(got.shape, generator=torch.Generator().manual_seed(2))
    (got * weights).sum().backward()
    (expected * weights).sum().backward()
    wanted = dict(theirs.named_parameters())
    scale = max(float(parameter.grad.abs().max()) for parameter in wanted.values())
    assert wanted.keys() == {name for name, _ in backbone.named_parameters()}
    for name, parameter in backbone.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name].grad, atol=1e-5 * scale, rtol=0, msg=name)


def test_layers_are_run_from_one_to_another(backbone):
    below = backbone.embed(ROWS)
    halves = backbone.run(backbone.run(below, LENGTHS, last=1), LENGTHS, first=1)
    assert torch.equal(halves, backbone.run(below, LENGTHS))
    assert not torch.allclose(halves, backbone.run(below, LENGTHS, last=1))


def test_only_the_lowest_layers_are_kept(backbone):
    expected = backbone.run(backbone.embed(ROWS), LENGTHS, last=1)
    backbone.keep_layers(1)
    assert torch.equal(backbone(ROWS), expected)
    assert backbone.config.num_hidden_layers == 1


def test_what_is_written_is_what_transformers_reads(theirs, tmp_path):
    theirs.half().save_pretrained(tmp_path / "theirs")
    theirs.float()
    config = read_config(tmp_path / "theirs")
    assert config.others["dtype"] == "float16"
    (tmp_path / "ours").mkdir()
    config.write(tmp_path / "ours")
    save_file(theirs.state_dict(), tmp_path / "ours" / "model.safetensors", metadata={"format": "pt"})
    again = AutoModel.from_pretrained(tmp_path / "ours", add_pooling_layer=False).eval()
    assert again.dtype == torch.float32
    torch.testing.assert_close(one_by_one(again, None), one_by_one(theirs, None))


@pytest.mark.parametrize("name", ["gelu", "gelu_python", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "silu"])
def test_activations_are_those_of_transformers(name):
    values = torch.linspace(-4, 4, 99)
    torch.testing.assert_close(ACTIVATIONS[name](values), ACT2FN[name](values), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("rows", [[], [[0, 2], []]])
def test_rows_without_tokens_are_refused(backbone, rows):
    with pytest.raises(ValueError, match="every row needs a token"):
        backbone(rows)


def written(folder, **changes):
    values = {"model_type": "bert", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    values |= {"intermediate_size": 16, "max_position_embeddings": 12} | changes
    kept = {name: value for name, value in values.items() if value != "absent"}
    (folder / "config.json").write_text(json.dumps(kept), encoding="utf-8")
    return folder


def test_what_a_file_leaves_out_has_the_familys_value(tmp_path):
    bert = read_config(written(tmp_path, hidden_dropout_prob=0.3))
    assert (bert.pad_token_id, bert.first_position, bert.max_tokens) == (0, 0, 12)
    assert bert.others == {"hidden_dropout_prob": 0.3}
    roberta = read_config(written(tmp_path, model_type="xlm-roberta", pad_token_id=None))
    assert (roberta.pad_token_id, roberta.first_position, roberta.max_tokens) == (1, 2, 10)
    for name, config in (("bert", bert), ("xlm-roberta", roberta)):
        theirs = FAMILIES[name]().config
        assert (config.hidden_act, config.layer_norm_eps) == (theirs.hidden_act, theirs.layer_norm_eps)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt2"}, "model type 'gpt2' is not one of bert, roberta, xlm-roberta"),
        ({"model_type": "absent"}, "model type None"),
        ({"hidden_size": "absent"}, r"config.json: cannot be read .*hidden_size"),
        ({"hidden_size": "many"}, "hidden_size is 'many'"),
        ({"num_hidden_layers": -1}, "num_hidden_layers is -1"),
        ({"model_type": ["bert"]}, r"model type \['bert'\]"),
        ({"num_attention_heads": 3}, "hidden_size 8 for 3 heads"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0"),
        ({"type_vocab_size": 0}, "type_vocab_size is 0"),
        ({"model_type": "roberta", "pad_token_id": 40}, "12 positions of which rows begin at number 41"),
        ({"hidden_act": "mish"}, "hidden_act 'mish' is not one of gelu"),
        ({"position_embedding_type": "relative_key"}, "positions of type 'relative_key'"),
        ({"is_decoder": True}, "a decoder"),
    ],
)
def test_a_shape_that_cannot_be_run_is_named(tmp_path, changes, message):
    with pytest.raises(ModelError, match=message):
        read_config(written(tmp_path, **changes))


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "7"])
def test_a_damaged_file_is_one_error(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json: cannot be read"):
        read_config(tmp_path)
