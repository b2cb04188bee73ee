"""Hard negatives: never a gold nor its twin, only from the window, within the margins."""

import numpy as np
import pytest

from retrieval.config.schema import MiningConfig
from retrieval.records import Article, Corpus, Passage, Query, TrecRun
from retrieval.training.negative_mining import mine_hard_negatives

CIDS = tuple("abcdefgh")
BODIES = ["một", "Một ", "hai", "hai", "ba", "bốn", "năm", "sáu"]  # b repeats a, d repeats c


@pytest.fixture
def corpus():
    articles = tuple(Article(cid, "", body) for cid, body in zip(CIDS, BODIES, strict=True))
    return Corpus(articles, tuple(Passage(cid, 0, body) for cid, body in zip(CIDS, BODIES, strict=True)))


@pytest.fixture
def run():
    rows = np.arange(8, dtype=np.int32)[None]
    return TrecRun("dense", ("q",), CIDS, rows, np.linspace(0.9, 0.2, 8, dtype=np.float32)[None])


def mine(run, corpus, golds=None, seed=0, cids=("a",), **settings):
    config = MiningConfig(**{"first_rank": 1, "last_rank": 8, "sampling": "top", "negatives": 8, **settings})
    return mine_hard_negatives(run, [Query("q", "?", cids)], corpus, config, seed, golds)["q"]


def test_golds_their_twins_and_repeats_are_left_out(run, corpus):
    assert mine(run, corpus) == ("c", "e", "f", "g", "h")


def test_only_the_rank_window_is_used(run, corpus):
    assert mine(run, corpus, first_rank=5, last_rank=6) == ("e", "f")


def test_margins_leave_out_what_scores_too_close_to_the_gold(run, corpus):
    golds = np.array([0.6], np.float32)  # scores: c .7, e .5, f .4, g .3, h .2
    assert mine(run, corpus, golds, absolute_margin=0.15) == ("f", "g", "h")
    assert mine(run, corpus, golds, relative_margin=0.4) == ("g", "h")
    assert mine(run, corpus, max_score=0.35) == ("g", "h")


def test_random_sampling_is_a_seeded_subset_of_the_window(run, corpus):
    draws = {mine(run, corpus, seed=seed, sampling="random", negatives=2) for seed in range(20)}
    assert mine(run, corpus, seed=3, sampling="random", negatives=2) in draws
    assert len(draws) > 3
    assert all(set(draw) <= set("cefgh") and len(draw) == 2 for draw in draws)


def test_a_window_that_holds_only_golds_gives_nothing(run, corpus):
    assert mine(run, corpus, last_rank=2) == ()
