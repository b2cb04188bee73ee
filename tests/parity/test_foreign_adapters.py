"""LoRA adapters written by peft and sentence-transformers: merged on loading, they give what peft gives unmerged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder as TheirCrossEncoder
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from retrieval.errors import ModelError
from retrieval.models.bi_encoder import BiEncoder, load_bi_encoder
from retrieval.models.cross_encoder import load_cross_encoder
from retrieval.runtime import Runtime
from tests.helpers.foreign_folders import TEXTS, edit, write_sentence_transformer, write_transformer
from tests.helpers.foreign_rerankers import write_causal, write_classifier

peft = pytest.importorskip("peft", reason="pip install -e '.[adapters]'")

RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)
QUERY = "nghỉ hằng năm bao nhiêu ngày"
PAIRS = [(QUERY, text) for text in TEXTS]
ATTENTION = ["query", "value"]


def draw(model: torch.nn.Module) -> None:
    """Weights as after some training: fresh adapters change nothing."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and "lora_A" not in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)


def adapt(model: torch.nn.Module, folder: Path, **options: Any) -> torch.nn.Module:
    """A peft model, trained as it were, with its adapter saved to ``folder``."""
    adapted = peft.get_peft_model(model, peft.LoraConfig(**({"r": 4, "lora_alpha": 8} | options)))
    draw(adapted)
    adapted.eval().save_pretrained(folder)
    return adapted


def mean_vectors(model: torch.nn.Module, folder: Path) -> np.ndarray:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        states = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0] for text in TEXTS]
    return np.stack([torch.nn.functional.normalize(state.mean(0), dim=0).numpy() for state in states])


def logits(model: torch.nn.Module, folder: Path) -> np.ndarray:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    read = [tokenizer(*pair, truncation=True, return_tensors="pt") for pair in PAIRS]
    with torch.inference_mode():
        return np.array([model(**one).logits.item() for one in read])


def vectors(encoder: BiEncoder) -> np.ndarray:
    return encoder.encode_passages(list(TEXTS), RUNTIME)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_rslora": True, "rank_pattern": {"layer.0.attention.self.query": 2}, "alpha_pattern": {"value": 3}},
        {"use_dora": True},
        {"bias": "lora_only"},
        {"target_modules": "all-linear", "modules_to_save": ["LayerNorm"]},
        {"trainable_token_indices": {"word_embeddings": [5, 9]}},
    ],
    ids=["plain", "ranks", "dora", "biases", "saved modules", "tokens"],
)
def test_an_adapter_of_an_encoder(tmp_path, options):
    write_transformer(tmp_path / "base")
    base = AutoModel.from_pretrained(tmp_path / "base")
    plain = mean_vectors(base, tmp_path / "base")
    options = {"target_modules": ATTENTION, "task_type": "FEATURE_EXTRACTION"} | options
    expected = mean_vectors(adapt(base, tmp_path / "m", **options), tmp_path / "base")
    encoder = load_bi_encoder(tmp_path / "m")
    assert np.abs(expected - plain).max() > 0.01
    np.testing.assert_allclose(vectors(encoder), expected, atol=1e-4)
    encoder.save(tmp_path / "saved")
    np.testing.assert_allclose(vectors(load_bi_encoder(tmp_path / "saved")), expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["modernbert", "gemma3", "qwen3"])
def test_an_adapter_of_an_encoder_that_transformers_runs(tmp_path, kind):
    folder = write_classifier(tmp_path / "base", kind)
    AutoModel.from_pretrained(folder).save_pretrained(folder)
    options = {"target_modules": "all-linear", "task_type": "FEATURE_EXTRACTION"}
    adapted = adapt(AutoModel.from_pretrained(folder).eval(), tmp_path / "m", **options)
    encoder = load_bi_encoder(tmp_path / "m")
    (row,) = encoder.tokenize_queries([TEXTS[0]])
    with torch.inference_mode():
        expected = adapted(input_ids=torch.tensor([row])).last_hidden_state[0]
        torch.testing.assert_close(encoder.backbone([row]), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "modernbert", "deberta-v2", "qwen3"])
def test_an_adapter_of_a_reranker(tmp_path, kind):
    if kind in {"bert", "xlm-roberta"}:
        write_transformer(tmp_path / "base", kind, labels=1)
    else:
        write_classifier(tmp_path / "base", kind)
    base = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base").eval()
    plain = logits(base, tmp_path / "base")
    adapted = adapt(base, tmp_path / "m", target_modules="all-linear", task_type="SEQ_CLS")
    expected = logits(adapted, tmp_path / "base")
    assert np.abs(expected - plain).max() > 0.01
    np.testing.assert_allclose(load_cross_encoder(tmp_path / "m").score(PAIRS, RUNTIME), expected, atol=1e-4)


def test_an_adapter_brings_the_head_of_a_reranker_whose_base_has_none(tmp_path):
    write_transformer(tmp_path / "base")
    base = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=1)
    adapted = adapt(base, tmp_path / "m", target_modules=ATTENTION, task_type="SEQ_CLS")
    expected = logits(adapted, tmp_path / "base")
    np.testing.assert_allclose(load_cross_encoder(tmp_path / "m").score(PAIRS, RUNTIME), expected, atol=1e-4)


def test_an_adapter_without_the_head_that_its_base_lacks_is_refused(tmp_path):
    write_transformer(tmp_path / "base")
    base = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=1)
    adapt(base, tmp_path / "m", target_modules=ATTENTION)  # peft saves a head only if told the task
    with pytest.raises(ModelError, match=r"neither the base nor the adapter has classifier\."):
        load_cross_encoder(tmp_path / "m")


def test_an_adapter_of_a_qwen3_reranker(tmp_path):
    base = write_causal(tmp_path / "Qwen3-Reranker-0.6B")
    causal = AutoModelForCausalLM.from_pretrained(base)
    adapted = adapt(causal, tmp_path / "m", target_modules="all-linear", task_type="CAUSAL_LM")
    reranker = load_cross_encoder(tmp_path / "m")
    yes, no = AutoTokenizer.from_pretrained(base).convert_tokens_to_ids(["yes", "no"])
    with torch.inference_mode():
        last = torch.cat([adapted(input_ids=torch.tensor([row])).logits[:, -1] for row in reranker.tokenize(PAIRS)])
    np.testing.assert_allclose(reranker.score(PAIRS, RUNTIME), (last[:, yes] - last[:, no]).numpy(), atol=1e-4)


def test_a_step_from_a_merged_adapter_has_the_gradients_of_the_merged_model(tmp_path):
    write_classifier(tmp_path / "base", "modernbert")
    base = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base").eval()
    merged = adapt(base, tmp_path / "m", target_modules="all-linear", task_type="SEQ_CLS").merge_and_unload()
    merged.requires_grad_(True)
    reranker = load_cross_encoder(tmp_path / "m")
    rows = reranker.tokenize(PAIRS)
    reranker.logits(rows, RUNTIME).sum().backward()
    torch.cat([merged(input_ids=torch.tensor([row])).logits for row in rows]).sum().backward()
    found = {name.removeprefix("backbone.model."): one.grad for name, one in reranker.named_parameters()}
    for name, parameter in merged.named_parameters():
        if parameter.grad is not None and parameter.grad.norm() > 1e-6:
            cosine = torch.cosine_similarity(found[name].flatten(), parameter.grad.flatten(), dim=0)
            assert cosine > 0.999, name


def write_adapted_sentence_transformer(folder: Path, base: Path, **options: Any) -> SentenceTransformer:
    model = SentenceTransformer(str(base), device="cpu", **options)
    model.add_adapter(peft.LoraConfig(task_type="FEATURE_EXTRACTION", r=4, target_modules=ATTENTION))
    draw(model[0].auto_model)
    model.eval().save(str(folder))
    return model


def test_an_adapter_that_sentence_transformers_saved_keeps_its_own_settings(tmp_path):
    base = write_sentence_transformer(tmp_path / "base", pooling="cls")
    model = write_adapted_sentence_transformer(tmp_path / "m", base)
    assert (tmp_path / "m/adapter_config.json").is_file()
    expected = model.encode(list(TEXTS), normalize_embeddings=True)
    encoder = load_bi_encoder(tmp_path / "m")
    assert encoder.settings.pooling == "cls"
    np.testing.assert_allclose(vectors(encoder), expected, atol=1e-4)


def test_an_adapter_in_the_folder_that_modules_json_names(tmp_path):
    base = write_sentence_transformer(tmp_path / "base")
    expected = write_adapted_sentence_transformer(tmp_path / "m", base).encode(list(TEXTS), normalize_embeddings=True)
    (tmp_path / "m/0_Transformer").mkdir()
    for path in [*(tmp_path / "m").glob("*")]:
        if path.is_file() and path.name not in {"modules.json", "config_sentence_transformers.json"}:
            path.rename(tmp_path / "m/0_Transformer" / path.name)
    listed = (tmp_path / "m/modules.json").read_text().replace('"path": ""', '"path": "0_Transformer"', 1)
    (tmp_path / "m/modules.json").write_text(listed)
    np.testing.assert_allclose(vectors(load_bi_encoder(tmp_path / "m")), expected, atol=1e-4)


def test_a_bare_adapter_has_the_settings_of_its_base(tmp_path):
    base = write_sentence_transformer(tmp_path / "base", pooling="max")
    adapt(AutoModel.from_pretrained(base), tmp_path / "m", target_modules=ATTENTION, task_type="FEATURE_EXTRACTION")
    encoder = load_bi_encoder(tmp_path / "m")
    assert (encoder.settings.pooling, encoder.settings.base) == ("max", str(tmp_path / "m"))


def test_a_reranker_adapted_in_sentence_transformers(tmp_path):
    write_transformer(tmp_path / "base", "bert", labels=1)
    theirs = TheirCrossEncoder(str(tmp_path / "base"), device="cpu", max_length=40)
    theirs.model.add_adapter(peft.LoraConfig(task_type="SEQ_CLS", r=4, target_modules=ATTENTION))
    draw(theirs.model)
    theirs.save(str(tmp_path / "m"))
    expected = theirs.predict(PAIRS, activation_fn=torch.nn.Identity())
    np.testing.assert_allclose(load_cross_encoder(tmp_path / "m").score(PAIRS, RUNTIME), expected, atol=1e-4)


def test_the_base_by_hub_id_gives_its_prefixes(tmp_path, monkeypatch):
    write_transformer(tmp_path / "base")
    base = AutoModel.from_pretrained(tmp_path / "base")
    adapt(base, tmp_path / "m", target_modules=ATTENTION, task_type="FEATURE_EXTRACTION")
    edit(tmp_path / "m/adapter_config.json", base_model_name_or_path="intfloat/multilingual-e5-small")
    asked: list[str] = []
    monkeypatch.setattr(
        "retrieval.models.io.huggingface.adapters.hub_folder", lambda name: asked.append(name) or tmp_path / "base"
    )
    settings = load_bi_encoder(tmp_path / "m").settings
    assert asked == ["intfloat/multilingual-e5-small"]
    assert (settings.query_prefix, settings.passage_prefix) == ("query: ", "passage: ")


def test_tokens_that_the_adapter_added(tmp_path):
    write_transformer(tmp_path / "base")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "base")
    tokenizer.add_tokens(["blds"])
    base = AutoModel.from_pretrained(tmp_path / "base")
    base.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    tokenizer.save_pretrained(tmp_path / "m")
    adapted = adapt(
        base, tmp_path / "m", target_modules=ATTENTION, task_type="FEATURE_EXTRACTION",
        modules_to_save=["word_embeddings"],
    )  # fmt: skip
    expected = mean_vectors(adapted, tmp_path / "m")
    np.testing.assert_allclose(vectors(load_bi_encoder(tmp_path / "m")), expected, atol=1e-4)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    write_transformer(tmp_path / "base")
    base = AutoModel.from_pretrained(tmp_path / "base")
    adapt(base, tmp_path / "m", target_modules=ATTENTION, task_type="FEATURE_EXTRACTION")
    return tmp_path / "m"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"peft_type": "PROMPT_TUNING"}, "not PROMPT_TUNING"),
        ({"alora_invocation_tokens": [4, 5]}, "alora_invocation_tokens"),
        ({"layer_replication": [[0, 2], [1, 2]]}, "layer_replication"),
        ({"revision": "v2"}, "the revision v2"),
        ({"base_model_name_or_path": None}, "base_model_name_or_path"),
        ({"base_model_name_or_path": "/no/such/folder"}, "no folder /no/such/folder"),
    ],
)
def test_what_is_not_merged_is_refused_by_name(adapter, values, named):
    edit(adapter / "adapter_config.json", **values)
    with pytest.raises(ModelError, match=f"{named}.*merge_and_unload"):
        load_bi_encoder(adapter)


def test_an_adapter_of_another_model_is_refused(adapter, tmp_path):
    other = write_classifier(tmp_path / "other", "modernbert")
    edit(adapter / "adapter_config.json", base_model_name_or_path=str(other))
    with pytest.raises(ModelError, match="its base has no part 'encoder"):
        load_bi_encoder(adapter)


def test_an_adapter_without_all_its_tensors_is_refused(adapter):
    state = load_file(adapter / "adapter_model.safetensors")
    del state[max(state)]
    save_file(state, adapter / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="missing adapter keys"):
        load_bi_encoder(adapter)


def test_an_adapter_without_its_weights_or_with_damaged_ones_is_refused(adapter):
    whole = (adapter / "adapter_model.safetensors").read_bytes()
    (adapter / "adapter_model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="cannot be merged here"):
        load_bi_encoder(adapter)
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"adapter_model\.safetensors is missing"):
        load_bi_encoder(adapter)


def test_an_adapter_of_an_adapter_is_refused(adapter, tmp_path):
    shutil.copytree(adapter, tmp_path / "second")
    edit(tmp_path / "second/adapter_config.json", base_model_name_or_path=str(adapter))
    with pytest.raises(ModelError, match="an adapter itself"):
        load_bi_encoder(tmp_path / "second")


def test_without_peft_the_error_says_what_to_install(adapter, monkeypatch):
    monkeypatch.setattr("retrieval.extras.find_spec", lambda name: None if name == "peft" else object())
    with pytest.raises(ModelError, match=r"needs peft, not installed here; pip install -e '\.\[adapters\]'"):
        load_bi_encoder(adapter)
