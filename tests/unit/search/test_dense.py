"""Exact two-field vector search against a loop that a reader can check."""

import numpy as np
import pytest

from retrieval.errors import SearchError
from retrieval.search.dense import DenseIndex


def unit(rows, seed):
    matrix = np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


@pytest.fixture
def index():
    return DenseIndex(("a", "b", "c"), unit(6, 1), np.array([0, 0, 0, 1, 2, 2], np.int32), unit(3, 2))


def test_an_articles_score_mixes_its_best_passage_and_its_title(index):
    queries = unit(4, 3)
    scores = index.scores(queries, 0.25)
    for position, query in enumerate(queries):
        for article in range(3):
            best = max(index.passages[row] @ query for row in range(6) if index.article_rows[row] == article)
            assert scores[position, article] == pytest.approx(
                0.75 * best + 0.25 * index.titles[article] @ query, abs=1e-6
            )


def test_an_articles_lead_passage_is_its_first(index):
    queries = unit(4, 3)
    scores = index.scores(queries, 0.25, 0.5)
    lead = queries @ index.passages[[0, 3, 4]].T
    best = np.stack([(queries @ index.passages[block].T).max(1) for block in (slice(3), slice(3, 4), slice(4, 6))], 1)
    assert np.allclose(scores, 0.25 * best + 0.5 * lead + 0.25 * queries @ index.titles.T, atol=1e-6)


def test_a_corpus_without_titles_ignores_the_title_weight(index):
    bare = DenseIndex(index.cids, index.passages, index.article_rows, np.zeros((0, 8), np.float32))
    queries = unit(2, 3)
    assert np.array_equal(bare.scores(queries, 0.9), bare.scores(queries, 0.0))


def test_the_best_passage_belongs_to_its_article_and_scores_highest(index):
    queries = unit(5, 4)
    rows = np.tile(np.array([2, 0, -1], np.int32), (5, 1))
    found = index.best_passages(queries, rows)
    assert (found[:, 2] == -1).all()
    for query, (third, first, _) in zip(queries, found, strict=True):
        assert third == 4 + np.argmax(index.passages[4:6] @ query)
        assert first == np.argmax(index.passages[0:3] @ query)


def test_vectors_of_another_corpus_are_refused(index):
    with pytest.raises(SearchError, match="5 passage vectors but 6 article rows"):
        DenseIndex(index.cids, index.passages[:5], index.article_rows, index.titles)
    with pytest.raises(SearchError, match="passages of 3 articles, grouped in order, expected 4"):
        DenseIndex((*index.cids, "d"), index.passages, index.article_rows, index.titles)
