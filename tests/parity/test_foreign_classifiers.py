"""Rerankers of other architectures and language models that judge: our logits are transformers' own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder as TheirCrossEncoder
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from retrieval.config.schema import CrossEncoderConfig, TrainingConfig
from retrieval.errors import ConfigError, ModelError
from retrieval.models.classifier import load_classifier
from retrieval.models.cross_encoder import CrossEncoder, cross_encoder_from, load_cross_encoder
from retrieval.models.losses import binary_cross_entropy
from retrieval.records import Query
from retrieval.runtime import Runtime
from retrieval.training.cross_encoder import CrossEncoderTask, PairPlan
from retrieval.training.freezing import prepared
from retrieval.training.loop import fit
from tests.helpers.foreign_folders import TEXTS, edit, long_text, write_transformer
from tests.helpers.foreign_rerankers import (
    CONFIGS,
    assert_same_as_theirs,
    write_causal,
    write_classifier,
)

RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)
QUERY = "nghỉ hằng năm bao nhiêu ngày"
PAIRS = [(QUERY, text) for text in TEXTS]
LONG = [(QUERY, long_text(100)), (long_text(100, 1), "thuê nhà"), (long_text(101, 3), long_text(140, 4))]
CLASSIFIERS = [kind for kind in CONFIGS if kind != "xlnet"]


def transformers_logits(folder: Path, pairs: list[tuple[str, str]], max_length: int) -> np.ndarray:
    """One pair after another, so that no padding comes in."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    options = {"truncation": "longest_first", "max_length": max_length, "return_tensors": "pt"}
    with torch.inference_mode():
        return np.array([model(**tokenizer(*pair, **options)).logits.item() for pair in pairs])


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_a_classifier_of_any_architecture_has_transformers_logits(tmp_path, kind):
    folder, longest = write_classifier(tmp_path / "m", kind), 64 if kind not in {"qwen3", "gemma3"} else 400
    expected = transformers_logits(folder, [*PAIRS, *LONG], longest)
    assert expected.std() > 0.01
    np.testing.assert_allclose(load_cross_encoder(folder).score([*PAIRS, *LONG], RUNTIME), expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["modernbert", "deberta-v2", "qwen3"])
def test_a_folder_of_sentence_transformers_of_any_architecture(tmp_path, kind):
    write_classifier(tmp_path / "bare", kind)
    TheirCrossEncoder(str(tmp_path / "bare"), device="cpu", max_length=48).save(str(tmp_path / "m"))
    assert_same_as_theirs(tmp_path / "m", [*PAIRS, *LONG])


@pytest.mark.parametrize("kind", ["modernbert", "qwen3"])
def test_a_saved_classifier_gives_the_same_again(tmp_path, kind):
    reranker = load_cross_encoder(write_classifier(tmp_path / "m", kind))
    reranker.save(tmp_path / "saved")
    again = load_cross_encoder(tmp_path / "saved")
    assert again.settings == reranker.settings
    np.testing.assert_allclose(again.score(PAIRS, RUNTIME), reranker.score(PAIRS, RUNTIME), atol=1e-6)
    assert AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").config.num_labels == 1


def test_a_head_that_looks_at_the_end_of_a_row_is_given_rows_of_one_length(tmp_path):
    classifier = load_classifier(write_classifier(tmp_path / "m", "xlnet"), 0)
    rows = [[5, 6, 7, 8, 9, 10], [11, 12], [13, 14]]
    alone = torch.cat([classifier([row]) for row in rows])
    assert not classifier.pads
    torch.testing.assert_close(classifier(rows), alone)


def gradients_of_theirs(folder: Path, labels: torch.Tensor, positive_weight: float) -> dict[str, torch.Tensor]:
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer([q for q, _ in PAIRS], [p for _, p in PAIRS], padding=True, truncation=True, return_tensors="pt")
    weight = torch.tensor(positive_weight)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        model(**inputs).logits.squeeze(-1), labels, pos_weight=weight
    )
    loss.backward()
    return {name: one.grad for name, one in model.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_gradients_of_a_step_are_transformers_own(tmp_path, kind):
    folder, labels = write_classifier(tmp_path / "m", kind), torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0])
    expected = gradients_of_theirs(folder, labels, 2.0)
    reranker = load_cross_encoder(folder)
    reranker.train()  # without dropout, as all models here
    binary_cross_entropy(reranker.logits(reranker.tokenize(PAIRS), RUNTIME), labels, 2.0).backward()
    found = {name.removeprefix("backbone.model."): one.grad for name, one in reranker.named_parameters()}
    for name, gradient in expected.items():
        if gradient.norm() > 1e-6:
            assert torch.cosine_similarity(found[name].flatten(), gradient.flatten(), dim=0) > 0.999, name


def test_a_base_of_another_architecture_keeps_its_head_and_takes_the_configured_lengths(tmp_path):
    write_classifier(tmp_path / "m", "modernbert")
    config = CrossEncoderConfig(base=str(tmp_path / "m"), max_tokens=48, max_query_tokens=16, layers=1)
    reranker = cross_encoder_from(config)
    assert (reranker.settings.head, reranker.settings.max_tokens) == ("own", 48)
    assert max(map(len, reranker.tokenize(LONG))) == 48
    assert reranker.backbone.config.num_hidden_layers == 1


def test_layers_that_read_the_texts_apart_are_refused(tmp_path):
    write_classifier(tmp_path / "m", "modernbert")
    config = CrossEncoderConfig(
        base=str(tmp_path / "m"), max_tokens=48, max_query_tokens=16,
        training={"freeze_layers": 1, "freeze_embeddings": True}, separate_frozen_layers=True,
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"separate_frozen_layers: .* a modernbert, are run only together"):
        cross_encoder_from(config)


@pytest.mark.parametrize("kind", ["deberta-v2", "qwen3-reranker"])
def test_the_training_loop_lowers_the_loss_of_any_reranker(tmp_path, kind):
    if kind == "qwen3-reranker":
        write_causal(tmp_path / kind)
    else:
        write_classifier(tmp_path / kind, kind)
    training = TrainingConfig(epochs=6, batch_queries=2, learning_rate=2e-3, freeze_embeddings=False)
    longest = 64 if kind == "deberta-v2" else 400
    config = CrossEncoderConfig(base=str(tmp_path / kind), max_tokens=longest, max_query_tokens=16, training=training)
    reranker = cross_encoder_from(config)
    texts = dict(enumerate(TEXTS))
    queries = [Query(str(row), text[:12], (str(row),)) for row, text in texts.items()]
    negatives = {str(row): [str((row + 1) % len(TEXTS))] for row in texts}
    plan = PairPlan(queries, [one.text for one in queries], negatives, lambda _, cid: texts[int(cid)], 2, 1)
    task = CrossEncoderTask(reranker, plan, config, RUNTIME)
    report = fit(task, training, 1, RUNTIME, tmp_path / "checkpoints", None, lambda *_: None)
    assert np.mean(report.losses[-3:]) < 0.7 * np.mean(report.losses[:3])


def test_embeddings_and_lowest_layers_of_a_classifier_can_be_frozen(tmp_path):
    reranker = load_cross_encoder(write_classifier(tmp_path / "m", "modernbert"))
    with prepared(reranker, TrainingConfig(freeze_embeddings=True, freeze_layers=1)):
        named = reranker.named_parameters()
        learning = {name.removeprefix("backbone.model.") for name, one in named if one.requires_grad}
        assert not any(name.startswith(("model.embeddings.", "model.layers.0.")) for name in learning)
        assert {"model.layers.1.mlp.Wi.weight", "classifier.weight"} <= learning


def test_a_classifier_with_more_labels_or_without_a_head_is_refused(tmp_path):
    with pytest.raises(ModelError, match="3 labels"):
        load_cross_encoder(write_classifier(tmp_path / "three", "modernbert", labels=3))
    folder = write_classifier(tmp_path / "m", "modernbert")
    state = {name: one for name, one in load_file(folder / "model.safetensors").items() if "classifier" not in name}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"2 tensors missing, such as 'classifier\.bias'"):
        load_cross_encoder(folder)


def test_code_of_the_models_own_is_not_run(tmp_path):
    folder = write_classifier(tmp_path / "m", "modernbert")
    edit(
        folder / "config.json", model_type="their_bert",
        auto_map={"AutoConfig": "theirs.Config", "AutoModelForSequenceClassification": "theirs.Model"},
    )  # fmt: skip
    (folder / "theirs.py").write_text("raise SystemExit('run')")
    with pytest.raises(ModelError, match="needs code from its own folder"):
        load_cross_encoder(folder)


def test_layers_that_read_the_texts_apart_are_refused_over_a_fresh_head_too(tmp_path):
    folder = write_classifier(tmp_path / "m", "modernbert")
    AutoModel.from_pretrained(folder).save_pretrained(folder)
    config = CrossEncoderConfig(
        base=str(folder), max_tokens=48, max_query_tokens=16,
        training={"freeze_layers": 1, "freeze_embeddings": True}, separate_frozen_layers=True,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="a modernbert, are run only together"):
        cross_encoder_from(config)


def test_a_chain_of_pooling_and_scores_is_refused_by_name(tmp_path):
    write_transformer(tmp_path / "bare")
    transformer = Transformer(str(tmp_path / "bare"))
    scores = Dense(32, 1, activation_function=torch.nn.Identity(), module_output_name="scores")
    TheirCrossEncoder(modules=[transformer, Pooling(32, "mean"), scores], device="cpu").save(str(tmp_path / "m"))
    with pytest.raises(ModelError, match="a Dense on scores"):
        load_cross_encoder(tmp_path / "m")


@pytest.mark.parametrize("kind", ["bert", "modernbert"])
@pytest.mark.parametrize("place", ["config_sentence_transformers.json", "config.json", "sbert"])
def test_another_function_of_the_logit_is_refused_by_name(tmp_path, kind, place):
    folder = tmp_path / "m"
    if kind == "bert":
        write_transformer(tmp_path / "bare", kind, labels=1)
    else:
        write_classifier(tmp_path / "bare", kind)
    TheirCrossEncoder(str(tmp_path / "bare"), device="cpu").save(str(folder))
    if place == "config_sentence_transformers.json":
        edit(folder / place, activation_fn="torch.nn.modules.activation.Tanh")
    else:
        edit(folder / "config_sentence_transformers.json", activation_fn=None)
        values = {"config.json": {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Tanh"}},
                  "sbert": {"sbert_ce_default_activation_function": "theirs.Tanh"}}  # fmt: skip
        edit(folder / "config.json", **values[place])
    with pytest.raises(ModelError, match="Tanh of the logits"):
        load_cross_encoder(folder)


@pytest.mark.parametrize("activation", ["Sigmoid", "Identity"])
def test_a_folder_as_version_5_of_sentence_transformers_writes_it(tmp_path, activation):
    write_classifier(tmp_path / "m", "modernbert")  # no modules.json: settings lie in config.json
    full = f"torch.nn.modules.{'activation' if activation == 'Sigmoid' else 'linear'}.{activation}"
    edit(tmp_path / "m/config.json", sentence_transformers={"activation_fn": full, "version": "5.1.2"})
    edit(tmp_path / "m/tokenizer_config.json", model_max_length=31)
    assert_same_as_theirs(tmp_path / "m", [*PAIRS, *LONG])
    scores = TheirCrossEncoder(str(tmp_path / "m"), device="cpu").predict(PAIRS)
    logits = load_cross_encoder(tmp_path / "m").score(PAIRS, RUNTIME)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)) if activation == "Sigmoid" else logits, atol=1e-4)


def test_token_types_that_are_not_given_are_not_given_after_saving(tmp_path):
    write_transformer(tmp_path / "m", "bert", labels=1)
    edit(tmp_path / "m/tokenizer_config.json", model_input_names=["input_ids", "attention_mask"])
    reranker = load_cross_encoder(tmp_path / "m")
    reranker.save(tmp_path / "saved")
    np.testing.assert_array_equal(
        load_cross_encoder(tmp_path / "saved").score(PAIRS, RUNTIME), reranker.score(PAIRS, RUNTIME)
    )


def test_a_model_without_a_template_joins_a_pair_by_special_tokens(tmp_path):
    reranker = load_cross_encoder(write_classifier(tmp_path / "m", "modernbert"))
    assert isinstance(reranker, CrossEncoder)
    assert reranker.template is None
