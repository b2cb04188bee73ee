"""Weights chosen on validation, the reranker's on as many queries as are asked for; what the baselines leave out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.config.schema import SearchConfig
from retrieval.experiments.assessment import assess_first_stage, tune
from retrieval.models.cross_encoder import CrossEncoder
from retrieval.records import Dataset, Query
from retrieval.search.bm25 import Bm25Index
from retrieval.search.embedding import CorpusVectors, embed_queries, query_states
from retrieval.search.retriever import Retriever
from tests.helpers.tiny_bundle import tiny_retriever


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    return tiny_retriever(tmp_path_factory.mktemp("encoder"))


def queries_of(retriever: Retriever, split: str = "") -> list[Query]:
    articles = retriever.corpus.articles
    return [
        Query(f"{split}{n}", one.body[:40], (one.cid,), source="natural", split=split) for n, one in enumerate(articles)
    ]


def count_pairs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted, real = [], CrossEncoder.score

    def score(self: CrossEncoder, pairs: list[object], *rest: object, **named: object) -> object:
        counted.append(len(pairs))
        return real(self, pairs, *rest, **named)

    monkeypatch.setattr(CrossEncoder, "score", score)
    return counted


def test_queries_beyond_those_that_choose_are_reranked_only_where_the_reranker_has_a_share(
    retriever: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries, counted = queries_of(retriever), count_pairs(monkeypatch)
    config = SearchConfig(rerank_depths=(3,), rerank_weights=(0.0,), rerank_tuning_queries=6)
    tuned, runs = tune(retriever, queries, config, "x")
    assert tuned.settings.rerank_weight == 0.0
    assert counted == [6 * 3]
    assert np.array_equal(runs["reranked"].rows, runs["hybrid"].rows)
    tuned, runs = tune(retriever, queries, config.model_copy(update={"rerank_weights": (0.5,)}), "x")
    assert counted[1:] == [6 * 3, (len(queries) - 6) * 3]  # nothing is read twice
    again = tuned.runs(queries)["reranked"]
    assert again.qids == runs["reranked"].qids
    assert np.array_equal(again.rows, runs["reranked"].rows)
    np.testing.assert_allclose(again.scores, runs["reranked"].scores, atol=1e-5)


def test_vectors_of_queries_are_the_same_from_kept_states_on(retriever: Retriever, tmp_path: Path) -> None:
    queries, encoder = queries_of(retriever), retriever.bi_encoder
    states = query_states(encoder, queries, 1, retriever.runtime, tmp_path)
    assert states is not None
    assert len(list(tmp_path.glob("*.npy"))) == 1
    plain = embed_queries(encoder, queries, retriever.runtime)
    np.testing.assert_allclose(embed_queries(encoder, queries, retriever.runtime, states), plain, atol=2e-3)
    assert query_states(encoder, queries, 0, retriever.runtime, tmp_path) is None


def test_the_baselines_have_no_lead_passage_field_and_no_headings(retriever: Retriever) -> None:
    index, runtime = retriever.index, retriever.runtime
    law = [replace(one, law=f"Bộ luật {one.title}", path=("Chương I",)) for one in retriever.corpus.articles]
    corpus = replace(retriever.corpus, articles=tuple(law))
    queries = (*queries_of(retriever, "validation"), *queries_of(retriever, "test"))
    both = (retriever.bi_encoder, CorpusVectors(index.passages, index.titles))
    config = SearchConfig(lead_passage_weights=(0.3,), title_weights=(0.2,))
    found = assess_first_stage(Dataset(corpus, queries), both, both, config, 0, 1, runtime)
    runs = {run.name: run for run in found.test.runs}
    assert list(runs) == ["bm25", "zero-shot", "mix", "trained", "hybrid"]
    expected_bm25 = Bm25Index.build(corpus).search(found.test.queries, config.candidates)
    np.testing.assert_array_equal(runs["bm25"].scores, expected_bm25.scores)
    with_headings = Bm25Index.build(corpus, headings=True).search(found.test.queries, config.candidates)
    assert not np.array_equal(with_headings.scores, expected_bm25.scores)
    vectors = embed_queries(retriever.bi_encoder, found.test.queries, runtime)
    for name, lead in (("zero-shot", 0.0), ("trained", 0.3)):
        expected = np.sort(index.scores(vectors, 0.2, lead), axis=1)[:, ::-1]
        np.testing.assert_allclose(runs[name].scores[:, :10], expected[:, :10], atol=1e-5)


def test_only_the_retriever_looks_for_names(retriever: Retriever) -> None:
    index, runtime = retriever.index, retriever.runtime
    asked = [replace(query, text=f"{query.text} theo Bộ luật thử") for query in queries_of(retriever, "test")]
    both = (retriever.bi_encoder, CorpusVectors(index.passages, index.titles))
    config = SearchConfig(lead_passage_weights=(0.0,), bm25_headings=False, citation_weight=1.0)
    found = assess_first_stage(Dataset(retriever.corpus, tuple(asked)), both, both, config, 0, 1, runtime)
    mix, hybrid = (next(run for run in found.test.runs if run.name == name) for name in ("mix", "hybrid"))
    np.testing.assert_array_equal(hybrid.rows, mix.rows)  # all the articles are of that law
    np.testing.assert_allclose(hybrid.scores, (mix.scores + 1.0) / 2.0, atol=1e-6)
