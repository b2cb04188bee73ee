"""Top-k order, min-max scaling and convex fusion, against closed forms."""

import numpy as np
import pytest

from retrieval.errors import SearchError
from retrieval.records import TrecRun
from retrieval.search.fusion import fuse, min_max
from retrieval.search.ranking import run_of, top_k

CIDS = ("a", "b", "c", "d")


def make_run(name, rows, scores, qids=("q",)):
    return TrecRun(name, qids, CIDS, np.array(rows, dtype=np.int32), np.array(scores, dtype=np.float32))


def test_top_k_agrees_with_a_full_stable_sort_on_scores_with_ties():
    scores = np.random.default_rng(0).integers(0, 5, (40, 30)).astype(np.float32)
    for k in (1, 7, 30, 99):
        _, values = top_k(scores, k)
        expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        taken = np.take_along_axis(scores, expected, axis=1)
        assert np.array_equal(values, taken)
    assert np.array_equal(top_k(scores, 30)[0], np.argsort(-scores, axis=1, kind="stable"))


def test_hits_at_minus_infinity_become_padding():
    run = run_of("x", ["q"], CIDS, np.array([[2, 0]], np.int32), np.array([[1.0, -np.inf]], np.float32))
    assert run.rows.tolist() == [[2, -1]]
    assert [hit.cid for hit in run.hits(0)] == ["c"]


def test_min_max_maps_best_to_one_worst_to_zero_and_leaves_padding_out():
    scaled = min_max(np.array([[4.0, 3.0, 2.0, -np.inf]], np.float32))
    assert scaled[0, :3] == pytest.approx([1.0, 0.5, 0.0])
    assert np.isneginf(scaled[0, 3])


def test_min_max_of_equal_scores_is_one():
    assert min_max(np.array([[2.0, 2.0]], np.float32)).tolist() == [[1.0, 1.0]]


def test_fusion_is_the_convex_mix_of_scaled_scores_over_the_union_of_hits():
    dense = make_run("dense", [[0, 1, 2]], [[0.9, 0.8, 0.7]])  # scaled 1, .5, 0
    lexical = make_run("bm25", [[3, 1, -1]], [[8.0, 4.0, -np.inf]])  # scaled 1, 0
    mixed = fuse(dense, lexical, 0.4, k=4)
    assert [hit.cid for hit in mixed.hits(0)] == ["a", "d", "b", "c"]
    assert [hit.score for hit in mixed.hits(0)] == pytest.approx([0.6, 0.4, 0.3, 0.0])


@pytest.mark.parametrize(("weight", "expected"), [(0.0, "a"), (1.0, "d")])
def test_fusion_at_the_ends_keeps_the_winner_of_one_run(weight, expected):
    dense = make_run("dense", [[0, 1]], [[0.9, 0.1]])
    lexical = make_run("bm25", [[3, 1]], [[8.0, 4.0]])
    assert fuse(dense, lexical, weight, k=2).hits(0)[0].cid == expected


def test_fusion_of_runs_of_different_queries_says_which_differ():
    one, two = make_run("dense", [[0]], [[1.0]]), make_run("bm25", [[0]], [[1.0]], qids=("other",))
    with pytest.raises(SearchError, match=r"runs dense \(1 queries.*bm25"):
        fuse(one, two, 0.5, k=1)
