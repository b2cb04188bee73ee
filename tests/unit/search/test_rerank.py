"""Blending the reranker's probability with the first stage."""

import numpy as np
import pytest

from retrieval.records import TrecRun
from retrieval.search.rerank import blend, sigmoid

CIDS = tuple("abcde")


@pytest.fixture
def run():
    rows = np.array([[0, 1, 2, 3, -1]], np.int32)
    return TrecRun("hybrid", ("q",), CIDS, rows, np.array([[0.9, 0.7, 0.5, 0.1, -np.inf]], np.float32))


def order(run):
    return "".join(hit.cid for hit in run.hits(0))


def test_weight_zero_keeps_the_first_stage_and_weight_one_obeys_the_reranker(run):
    logits = np.array([[-3.0, 0.0, 3.0]], np.float32)
    assert order(blend(run, logits, 3, 0.0)) == "abcd"
    assert order(blend(run, logits, 3, 1.0)) == "cbad"


def test_only_the_first_hits_move_and_scores_never_increase(run):
    blended = blend(run, np.array([[-5.0, 5.0, 0.0, 9.0]], np.float32), 2, 1.0)
    assert order(blended) == "bacd"
    scores = [hit.score for hit in blended.hits(0)]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 4


def test_blended_score_is_the_convex_mix_of_scaled_score_and_probability(run):
    logits = np.array([[0.0, 2.0, -2.0]], np.float32)
    blended = blend(run, logits, 3, 0.4)
    expected = {"a": 0.6 * 1.0 + 0.4 * 0.5, "b": 0.6 * 0.5 + 0.4 / (1 + np.exp(-2)), "c": 0.4 / (1 + np.exp(2))}
    for hit in blended.hits(0)[:3]:
        assert hit.score == pytest.approx(expected[hit.cid], abs=1e-6)


def test_sigmoid_in_float32_keeps_confident_candidates_apart():
    probabilities = sigmoid(np.array([10.0, 11.0, 12.0], np.float32))
    assert len(set(probabilities.tolist())) == 3
