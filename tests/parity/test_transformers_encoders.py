"""Encoders that only transformers runs: vectors and gradients are those of sentence-transformers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch.nn import functional

from retrieval.config.schema import BiEncoderConfig, TrainingConfig
from retrieval.models.backbone.bert import BertBackbone
from retrieval.models.backbone.transformers_backbone import TransformersBackbone
from retrieval.models.bi_encoder import BiEncoder, load_bi_encoder
from retrieval.models.io.pretrained import load
from retrieval.models.losses import multiple_negatives_ranking
from retrieval.training.batches import RankingBatch
from retrieval.training.bi_encoder import BiEncoderTask
from tests.helpers.foreign_folders import TEXTS, edit, in_format, write_sentence_transformer
from tests.helpers.foreign_vectors import RUNTIME, ours, theirs
from tests.helpers.transformers_folders import (
    FAMILIES,
    LONG,
    write_embedding_gemma,
    write_family,
    write_qwen3_embedding,
)

ALL = [*TEXTS, *LONG, "a"]
QUERIES, PASSAGES = ("nghỉ hằng năm", "giao dịch dân sự là gì"), (*TEXTS[:2], LONG[1])


def assert_cosine(got, expected, least=0.9999):
    cosines = (got * expected).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(expected, axis=1)
    assert got.shape == expected.shape
    assert cosines.min() >= least


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_bare_model_gives_the_same_vectors_after_saving_too(tmp_path, family):
    write_family(tmp_path / "m", family)
    assert isinstance(load(str(tmp_path / "m")).backbone, TransformersBackbone)
    expected = theirs(tmp_path / "m", ALL)
    got = ours(tmp_path / "m", ALL)
    assert_cosine(got, expected)
    load_bi_encoder(tmp_path / "m").save(tmp_path / "saved")
    np.testing.assert_array_equal(ours(tmp_path / "saved", ALL), got)
    assert_cosine(theirs(tmp_path / "saved", ALL), expected)


@pytest.mark.parametrize("write", [write_embedding_gemma, write_qwen3_embedding])
def test_models_with_prompts_give_the_same_queries_and_passages_after_saving_too(tmp_path, write):
    folder = write(tmp_path / "m")
    load_bi_encoder(folder).save(tmp_path / "saved")
    first = SentenceTransformer(str(folder), device="cpu")
    again = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    for queries, method in ((True, "encode_query"), (False, "encode_document")):
        expected = getattr(first, method)(ALL, normalize_embeddings=True)
        assert_cosine(ours(folder, ALL, queries), expected)
        assert_cosine(ours(tmp_path / "saved", ALL, queries), expected)
        assert_cosine(getattr(again, method)(ALL, normalize_embeddings=True), expected)


@pytest.mark.parametrize(
    ("family", "values"),
    [
        ("qwen3", {"tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": False, "add_bos_token": False}),
        ("qwen3", {"tokenizer_class": "Qwen2TokenizerFast", "eos_token": "<|im_start|>"}),
        ("gemma3_text", {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True, "add_eos_token": True}),
        ("llama", {"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": False, "add_eos_token": True}),
        ("gpt2", {"tokenizer_class": "GPT2Tokenizer"}),
        ("distilbert", {"tokenizer_class": "DistilBertTokenizer", "do_lower_case": False}),
        ("mpnet", {"tokenizer_class": "MPNetTokenizer"}),
        ("electra", {"tokenizer_class": "ElectraTokenizer"}),
        ("deberta-v2", {"tokenizer_class": "DebertaV2Tokenizer"}),
        ("camembert", {"tokenizer_class": "CamembertTokenizer"}),
    ],
)
def test_a_tokenizer_under_its_own_class_name_gives_the_tokens_of_transformers(tmp_path, family, values):
    write_family(tmp_path / "m", family)
    edit(tmp_path / "m/tokenizer_config.json", **values)
    tokenizer = SentenceTransformer(str(tmp_path / "m"), device="cpu").tokenizer
    expected = [tokenizer(text, truncation=True, max_length=64)["input_ids"] for text in ALL]
    assert load(str(tmp_path / "m")).tokenizer.encode(ALL, 64) == expected


def test_a_decoder_saved_with_its_head_is_read_without_it(tmp_path):
    write_family(tmp_path / "m", "qwen3", "Qwen3ForCausalLM")
    assert_cosine(ours(tmp_path / "m", ALL), theirs(tmp_path / "m", ALL))


def test_a_masked_language_model_is_read_without_its_head(tmp_path):
    write_family(tmp_path / "m", "modernbert", "ModernBertForMaskedLM")
    assert_cosine(ours(tmp_path / "m", ALL), theirs(tmp_path / "m", ALL))


@pytest.mark.parametrize(
    "weights", ["pytorch_model.bin", "sharded safetensors", "sharded bin", "float16", "bfloat16"]
)  # fmt: skip
def test_weights_in_every_format(tmp_path, weights):
    write_family(tmp_path / "m", "qwen3")
    in_format(tmp_path / "m", weights)
    if weights in {"float16", "bfloat16"}:
        edit(tmp_path / "m/config.json", dtype=weights)
    backbone = load(str(tmp_path / "m")).backbone
    assert {tensor.dtype for tensor in backbone.parameters()} == {torch.float32}
    assert_cosine(ours(tmp_path / "m", ALL), theirs(tmp_path / "m", ALL), 0.999 if "16" in weights else 0.9999)


def test_a_row_has_the_same_token_vectors_alone_and_beside_longer_rows(tmp_path):
    for family in FAMILIES:
        write_family(tmp_path / family, family)
        found = load(str(tmp_path / family))
        rows = sorted(found.tokenizer.encode(ALL, 64), key=len)
        with torch.inference_mode():
            together = torch.split(found.backbone(rows), [len(row) for row in rows])
            for row, vectors in zip(rows, together, strict=True):
                torch.testing.assert_close(vectors, found.backbone([row]), atol=2e-4, rtol=1e-3)


def batch_of(queries, passages):
    positives = np.eye(len(queries), len(passages), dtype=bool)
    ones = np.ones(len(queries), np.float32)
    return RankingBatch(tuple(queries), tuple(passages), positives, np.zeros_like(positives), ones)


def their_gradients(folder, batch, temperature):
    """The same loss through sentence-transformers' modules, without dropout."""
    model = SentenceTransformer(str(folder), device="cpu").eval()
    prompts = model.prompts or {}

    def vectors(texts, prompt):
        inputs = model.preprocess([prompt + text for text in texts])
        return functional.normalize(model(inputs)["sentence_embedding"], dim=-1)

    queries = vectors(batch.queries, prompts.get("query") or "")
    passages = vectors(batch.passages, prompts.get("document") or "")
    masks = torch.from_numpy(batch.positives), torch.from_numpy(batch.excluded)
    loss = multiple_negatives_ranking(queries, passages, *masks, temperature)
    loss.backward()
    return loss.item(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def their_name(name):
    """Of a parameter of ours."""
    if name.startswith("backbone.projections.steps."):
        number, _, rest = name.removeprefix("backbone.projections.steps.").partition(".")
        return f"{int(number) + 2}.{rest}"
    return f"0.model.{name.removeprefix('backbone.').removeprefix('model.')}"


def assert_same_step(folder, loss="mnrl"):
    batch = batch_of(QUERIES, PASSAGES)
    encoder = load_bi_encoder(folder)
    config = BiEncoderConfig(loss=loss, chunk_queries=1, temperature=0.1, training=TrainingConfig(epochs=1))
    encoder.train()
    got_loss = BiEncoderTask(encoder, None, config, RUNTIME).backward(batch)
    expected_loss, expected = their_gradients(folder, batch, 0.1)
    got = {name: p.grad for name, p in encoder.named_parameters() if p.grad is not None}
    assert got_loss == pytest.approx(expected_loss, abs=2e-4)
    assert len(got) == len(expected) > 10
    pairs = [(gradient.flatten(), expected[their_name(name)].flatten()) for name, gradient in got.items()]
    whole = functional.cosine_similarity(*(torch.cat(side) for side in zip(*pairs, strict=True)), dim=0)
    assert whole >= 0.9999
    largest = max(float(right.norm()) for _, right in pairs)
    for left, right in pairs:
        if right.norm() > 1e-3 * largest:
            assert functional.cosine_similarity(left, right, dim=0) >= 0.999


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_training_step_has_the_gradients_of_sentence_transformers(tmp_path, family):
    write_family(tmp_path / "m", family)
    assert_same_step(tmp_path / "m")


@pytest.mark.parametrize("loss", ["mnrl", "cached_mnrl"])
@pytest.mark.parametrize("write", [write_embedding_gemma, write_qwen3_embedding])
def test_a_training_step_through_projections_has_the_gradients_of_sentence_transformers(tmp_path, write, loss):
    assert_same_step(write(tmp_path / "m"), loss)


def test_a_step_of_the_fast_backbone_with_a_dense_has_the_gradients_of_sentence_transformers(tmp_path):
    from sentence_transformers.sentence_transformer import modules

    folder = write_sentence_transformer(tmp_path / "m", modules.Dense(32, 24), modules.LayerNorm(24))
    assert isinstance(load(str(folder)).backbone, BertBackbone)
    assert_same_step(folder)


def test_the_lowest_layers_alone_are_those_of_the_model_cut_by_transformers(tmp_path):
    for family in ("qwen3", "gemma3_text", "modernbert", "distilbert", "gpt2"):
        write_family(tmp_path / family, family)
        found = load(str(tmp_path / family), layers=2)
        encoder = BiEncoder(found.backbone, found.tokenizer, found.settings)
        encoder.save(tmp_path / f"{family}-cut")
        assert found.backbone.config.num_hidden_layers == len(found.backbone.layers) == 2
        got = encoder.encode_queries(ALL, RUNTIME)
        assert_cosine(got, theirs(tmp_path / f"{family}-cut", ALL))
        np.testing.assert_array_equal(ours(tmp_path / f"{family}-cut", ALL), got)
        assert not np.allclose(got, ours(tmp_path / family, ALL), atol=1e-2)


def test_a_token_added_above_the_table_is_read_as_padding_and_not_as_an_error(tmp_path):
    write_family(tmp_path / "m", "gemma3_text")
    path = tmp_path / "m/tokenizer.json"
    values = json.loads(path.read_text())
    count = load(str(tmp_path / "m")).backbone.config.vocab_size
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    values["added_tokens"].append({"id": count, "content": "<image_soft_token>", **flags})
    path.write_text(json.dumps(values))
    found = load(str(tmp_path / "m"))
    (row,) = found.tokenizer.encode(["a <image_soft_token> b"], 64)
    assert max(row) < count
    assert_cosine(ours(tmp_path / "m", ALL), theirs(tmp_path / "m", ALL))


def test_bfloat16_arithmetic_stays_near_float32(tmp_path):
    folder = write_embedding_gemma(tmp_path / "m")
    encoder = load_bi_encoder(folder)
    half = replace(RUNTIME, precision=torch.bfloat16)
    assert_cosine(encoder.encode_queries(ALL, half), encoder.encode_queries(ALL, RUNTIME), 0.99)
