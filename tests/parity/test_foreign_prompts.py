"""Prompts of other libraries' folders: what is put before texts is what they say, or what a known model needs."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from retrieval.errors import ModelError
from retrieval.models.io.pretrained import load
from tests.helpers.foreign_folders import (
    TEXTS,
    TOKENIZERS,
    edit,
    write_sentence_transformer,
    write_transformer,
)
from tests.helpers.foreign_vectors import ours, theirs

MODEL_FILE = "config_sentence_transformers.json"


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


@pytest.mark.parametrize("family", list(TOKENIZERS))
@pytest.mark.parametrize("prompt", ["điều ", "khoản 1 điểm a: "])
def test_a_prompt_of_queries_alone_is_not_taken_from_passages(tmp_path, family, prompt):
    folder = write_sentence_transformer(tmp_path / "m", family=family, prompts={"query": prompt})
    edit(folder / "1_Pooling" / "config.json", include_prompt=False)
    np.testing.assert_allclose(ours(folder), theirs(folder, prompt_name="query"), atol=2e-5)
    texts = [*TEXTS[:3], "khoản 2 điểm b"]
    np.testing.assert_allclose(ours(folder, texts, queries=False), theirs(folder, texts), atol=2e-5)
