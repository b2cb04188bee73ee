"""Batches: the same for one seed, new each epoch, no known answer among the negatives."""

from __future__ import annotations

import pytest

from retrieval.errors import TrainingError
from retrieval.records import Article, Corpus, Dataset, Passage, Query
from retrieval.training.batches import (
    RankingPlan,
    content_fingerprint,
    shuffled_groups,
)
from retrieval.training.examples import article_texts, choose_passage, training_examples


def corpus_of(bodies, titles=None):
    articles = [Article(cid, (titles or {}).get(cid, ""), " ".join(texts)) for cid, texts in bodies.items()]
    passages = [Passage(cid, number, text) for cid, texts in bodies.items() for number, text in enumerate(texts)]
    return Corpus(tuple(articles), tuple(passages))


def plan_of(corpus, queries, **options):
    texts = article_texts(corpus, "text")
    settings = {
        "negatives": {},
        "hard_negatives": 0,
        "passage_choice": "first",
        "title_share": 0.0,
        "batch_queries": 8,
        "batch_articles": 0,
        "neighbours": 2,
        "seed": 1,
    } | options
    return RankingPlan(training_examples(queries, texts, "text"), texts, **settings)


def only_batch(plan, epoch=0):
    (batch,) = plan.batches(epoch)
    return batch


FOUR = corpus_of({"a": ["a0", "a1"], "b": ["b0"], "c": ["c0"], "d": ["d0"]}, {"a": "title a", "b": "title b"})
PAIR = [Query("1", "one", ("a",)), Query("2", "two", ("b",))]


def cell(batch, query, passage):
    row, column = batch.queries.index(query), batch.passages.index(passage)
    return bool(batch.positives[row, column]), bool(batch.excluded[row, column])


def test_each_query_has_its_own_passage_as_positive_and_the_others_as_negatives():
    batch = only_batch(plan_of(FOUR, PAIR))
    assert set(batch.queries) == {"one", "two"}
    assert set(batch.passages) == {"a0", "b0"}
    assert cell(batch, "one", "a0") == cell(batch, "two", "b0") == (True, False)
    assert cell(batch, "one", "b0") == cell(batch, "two", "a0") == (False, False)


def test_a_passage_of_another_gold_article_is_excluded_not_negative():
    queries = [Query("1", "one", ("a", "b")), Query("2", "two", ("a", "b")), Query("3", "three", ("c",))]
    batch = only_batch(plan_of(FOUR, queries))
    for query in ("one", "two"):
        for passage in {"a0", "b0"} & set(batch.passages):
            assert any(cell(batch, query, passage))
        assert cell(batch, query, "c0") == (False, False)


def test_queries_with_the_same_words_share_their_golds():
    queries = [Query("1", "Phạm vi", ("a",)), Query("2", "phạm  vi", ("b",)), Query("3", "other", ("c",))]
    batch = only_batch(plan_of(FOUR, queries))
    assert cell(batch, "Phạm vi", "b0") == cell(batch, "phạm  vi", "a0") == (False, True)
    assert cell(batch, "other", "a0") == (False, False)


def test_articles_with_the_same_text_become_one_column_that_answers_both():
    corpus = corpus_of({"a": ["same"], "b": ["same"], "c": ["c0"]})
    batch = only_batch(plan_of(corpus, [*PAIR, Query("3", "three", ("c",))]))
    assert sorted(batch.passages) == ["c0", "same"]
    assert cell(batch, "one", "same") == cell(batch, "two", "same") == (True, False)


def test_mined_negatives_come_along_but_never_a_known_answer_or_an_unknown_article():
    negatives = {"1": ["a", "gone", "c", "d"], "2": ["c"]}
    batch = only_batch(plan_of(FOUR, PAIR, negatives=negatives, hard_negatives=3))
    assert sorted(batch.passages) == ["a0", "b0", "c0", "d0"]
    assert cell(batch, "one", "c0") == (False, False)
    limited = only_batch(plan_of(FOUR, PAIR, negatives={"1": ["c", "d"]}, hard_negatives=1))
    assert len(limited.passages) == 3


def test_one_gold_of_several_is_drawn_and_all_get_their_turn():
    plan = plan_of(FOUR, [Query("1", "one", ("a", "b", "c")), Query("2", "two", ("d",))])
    drawn = {passage for epoch in range(20) for passage in only_batch(plan, epoch).passages}
    assert drawn == {"a0", "b0", "c0", "d0"}
    assert all(len(only_batch(plan, epoch).passages) == 2 for epoch in range(20))


def test_title_share_teaches_titles_to_queries_that_were_not_made_from_one():
    queries = [Query("1", "one", ("a",), source="csv"), Query("2", "two", ("b",), source="title")]
    assert sorted(only_batch(plan_of(FOUR, queries, title_share=1.0)).passages) == ["b0", "title a"]
    half = plan_of(FOUR, queries, title_share=0.5)
    assert {p for epoch in range(20) for p in only_batch(half, epoch).passages} == {"a0", "title a", "b0"}


def test_only_queries_made_from_titles_count_more_where_that_is_configured():
    queries = [Query("1", "one", ("a",), source="csv"), Query("2", "two", ("b",), source="title")]
    batch = only_batch(plan_of(FOUR, queries, title_query_weight=3.0))
    assert dict(zip(batch.queries, batch.weights.tolist(), strict=True)) == {"one": 1.0, "two": 3.0}


@pytest.mark.parametrize(
    ("choice", "epochs"),
    [("first", ["x y", "x y", "x y"]), ("rotate", ["x y", "z w", "x y"]), ("overlap", ["z w", "z w", "z w"])],
)
def test_passage_choices(choice, epochs):
    assert [choose_passage("which Z is it", ["x y", "z w"], choice, epoch) for epoch in range(3)] == epochs


def test_epochs_differ_and_repeat_exactly(dataset):
    texts = article_texts(dataset.corpus, "text")
    plan = RankingPlan(training_examples(dataset.select("train"), texts, "text"), texts, {}, 0, "first", 0.0, 8, seed=5)
    order = [[batch.queries for batch in plan.batches(epoch)] for epoch in (0, 1, 0)]
    assert order[0] == order[2] != order[1]
    assert sorted(text for queries in order[0] for text in queries) == sorted(q.text for q in dataset.select("train"))
    assert content_fingerprint(plan.batches) == content_fingerprint(plan.batches)


def test_a_last_batch_of_one_query_is_left_out():
    assert [len(group) for group in shuffled_groups(range(9), 4, 0, 0)] == [4, 4]
    assert [len(group) for group in shuffled_groups(range(10), 4, 0, 0)] == [4, 4, 2]


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ([Query("1", "one", ("a",))], "1 training queries; ranking needs two"),
        ([*PAIR, Query("3", "three", ("zz",))], "training query 3: gold article zz is not in the corpus"),
        ([*PAIR, Query("3", "", ("a",))], "training query 3: no gold article or no text text"),
    ],
)
def test_queries_that_cannot_train_are_named(queries, message):
    with pytest.raises(TrainingError, match=message):
        training_examples(queries, article_texts(FOUR, "text"), "text")


def test_a_segmented_model_needs_segmented_passages():
    with pytest.raises(TrainingError, match="passage 0 of article a has no segmented text"):
        article_texts(FOUR, "segmented")
    corpus = Corpus((Article("a", "", "x y"),), (Passage("a", 0, "x y", "x_y"),))
    assert article_texts(Dataset(corpus, ()).corpus, "segmented").passages == {"a": ("x_y",)}


TEN = corpus_of({f"{number}": [f"text {number}"] for number in range(10)})
TWICE = [Query(f"{number}{part}", f"query {number} {part}", (f"{number}",)) for number in range(10) for part in "ab"]


@pytest.mark.parametrize("epoch", range(4))
def test_batches_of_articles_hold_all_queries_of_each_and_one_column_for_it(epoch):
    batches = plan_of(TEN, TWICE, batch_articles=4).batches(epoch)
    assert [len(batch.passages) for batch in batches] == [4, 4, 2]
    for batch in batches:
        assert len(batch.queries) == 2 * len(batch.passages)
        assert (batch.positives.sum(axis=0) == 2).all() and (batch.positives.sum(axis=1) == 1).all()
    assert sorted(query for batch in batches for query in batch.queries) == sorted(query.text for query in TWICE)


def test_neighbouring_articles_stay_together_and_the_runs_begin_elsewhere_in_another_epoch():
    plan = plan_of(TEN, TWICE, batch_articles=5, neighbours=5)
    sides = [{tuple(sorted(batch.passages)) for batch in plan.batches(epoch)} for epoch in range(8)]
    halves = {tuple(f"text {number}" for number in range(start, start + 5)) for start in (0, 5)}
    assert halves in sides and any(side != halves for side in sides)
    assert [batch.queries for batch in plan.batches(3)] == [batch.queries for batch in plan.batches(3)]


def test_a_last_batch_of_a_single_article_is_left_out_in_every_epoch():
    plan = plan_of(TEN, TWICE, batch_articles=3)
    assert {len(plan.batches(epoch)) for epoch in range(5)} == {3}
