"""Splits leak nothing: no shared text and no shared gold between training and what the model is judged on."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from retrieval.config.schema import DataConfig
from retrieval.data.cleaning import text_key
from retrieval.data.sources.bundled_codes import load_bundled
from retrieval.data.sources.ingest import ingest
from retrieval.data.splits import split_queries
from retrieval.data.weak_supervision import TRAINING_SOURCES, title_queries
from retrieval.errors import ValidationError
from retrieval.records import Corpus, Dataset, Query

CONFIG = DataConfig()
TEXTS = ("Hỏi một", "hỏi  MỘT?", "Hỏi hai", "Hỏi ba", "Hoà giải", "Hòa giải")


def dataset_of(queries) -> Dataset:
    return Dataset(Corpus((), ()), tuple(queries))


def texts_and_golds(dataset: Dataset, split: str) -> tuple[set[str], set[str]]:
    queries = dataset.select(split)
    return {text_key(query.text) for query in queries}, {cid for query in queries for cid in query.cids}


def assert_nothing_leaks(dataset: Dataset, by_gold: bool = True) -> None:
    found = {split: texts_and_golds(dataset, split) for split in ("train", "validation", "test")}
    for left, right in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert found[left][0].isdisjoint(found[right][0]), (left, right)
        if by_gold:
            assert found[left][1].isdisjoint(found[right][1]), (left, right)


QUERIES = st.lists(
    st.tuples(
        st.sampled_from(TEXTS) | st.integers(0, 60).map("câu {}".format),
        st.lists(st.integers(0, 200).map(str), min_size=1, max_size=3, unique=True),
        st.sampled_from(["title", "natural", "csv", "question", "clause", "path", "template"]),
        st.sampled_from(["", "", "", "", "test"]),
    ),
    min_size=20,  # fewer leave nothing to train on or nothing to test with
    max_size=80,
).map(
    lambda rows: [
        Query(str(number), text, tuple(cids), source=source, split="" if source in TRAINING_SOURCES else split)
        for number, (text, cids, source, split) in enumerate(rows)
    ]
)


@given(QUERIES, st.integers(0, 99), st.booleans())
def test_no_text_and_no_gold_is_shared_between_splits(queries, seed, seen_golds):
    try:
        split = split_queries(dataset_of(queries), DataConfig(seen_golds=seen_golds), seed)
    except ValidationError:
        assume(False)

    assert_nothing_leaks(split, by_gold=not seen_golds)
    assert all(query.split for query in split.queries)


@given(QUERIES, st.integers(0, 99))
def test_weak_queries_only_train_natural_ones_never_do_and_fixed_ones_stay(queries, seed):
    try:
        split = split_queries(dataset_of(queries), CONFIG, seed)
    except ValidationError:
        assume(False)

    given_of = {query.qid: query for query in queries}
    for query in split.queries:
        assert query.source not in TRAINING_SOURCES or query.split == "train"
        assert query.source != "natural" or query.split != "train"
        assert given_of[query.qid].split in ("", query.split)
        assert replace(query, split=given_of[query.qid].split) == given_of[query.qid]


@given(QUERIES, st.integers(0, 99))
def test_only_weak_queries_and_doubles_of_a_test_file_are_left_out(queries, seed):
    try:
        split = split_queries(dataset_of(queries), CONFIG, seed)
    except ValidationError:
        assume(False)

    kept = [query.qid for query in split.queries]
    assert kept == sorted(kept, key=int)
    if not any(query.split for query in queries):
        assert {query.qid for query in queries if query.source not in TRAINING_SOURCES} <= set(kept)


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    dataset = dataset_of(Query(str(n), f"câu {n}", (str(n),)) for n in range(100))

    assert split_queries(dataset, CONFIG, 1) == split_queries(dataset, CONFIG, 1)
    assert split_queries(dataset, CONFIG, 1) != split_queries(dataset, CONFIG, 2)


def test_questions_are_shared_out_70_15_15():
    dataset = dataset_of(Query(str(n), f"câu {n}", (str(n),)) for n in range(200))

    assert Counter(query.split for query in split_queries(dataset, CONFIG, 1).queries) == {
        "train": 140,
        "validation": 30,
        "test": 30,
    }


def test_a_test_file_of_its_own_is_the_test_split_and_training_doubles_are_dropped():
    training = [Query(str(n), f"câu {n}", (str(n),)) for n in range(100)]
    tests = [Query("t1", "CÂU 7?", ("500",), split="test"), Query("t2", "khác", ("8",), split="test")]

    strict = split_queries(dataset_of([*training, *tests]), CONFIG, 1)
    loose = split_queries(dataset_of([*training, *tests]), DataConfig(seen_golds=True), 1)

    assert {query.qid for query in strict.queries} == {str(n) for n in range(100)} - {"7", "8"} | {"t1", "t2"}
    assert {query.qid for query in loose.queries} == {str(n) for n in range(100)} - {"7"} | {"t1", "t2"}
    assert [query.qid for query in strict.select("test")] == ["t1", "t2"]
    assert len(strict.select("validation")) == 15


def test_nothing_left_to_train_on_is_an_error():
    with pytest.raises(ValidationError, match=r"none of 1 questions is left to train on .*data\.train_share"):
        split_queries(dataset_of([Query("n", "câu", ("1",), source="natural")]), CONFIG, 1)


@pytest.mark.parametrize(("train", "validation"), [(1.0, 0.0), (0.8, 0.2)])
def test_nothing_left_to_test_with_is_an_error(train, validation):
    queries = [Query(str(n), f"câu {n}", (str(n),)) for n in range(40)]
    shares = DataConfig(train_share=train, validation_share=validation)

    with pytest.raises(ValidationError, match=rf"none of 40 .* to test with .*train_share {train:g}.*test_questions"):
        split_queries(dataset_of(queries), shares, 1)

    tests = [Query("t", "khác", ("99",), split="test")]
    assert len(split_queries(dataset_of([*queries, *tests]), shares, 1).select("test")) == 1


@pytest.fixture(scope="module")
def codes():
    return ingest(CONFIG, 42)


@pytest.mark.parametrize("seed", [1, 42])
def test_the_real_codes_are_split_without_leaks(codes, seed):
    split = split_queries(codes, CONFIG, seed)

    assert_nothing_leaks(split)
    counts = Counter((query.source, query.split) for query in split.queries)
    titles = sum(count for (source, _), count in counts.items() if source == "title")
    assert titles == len(title_queries(load_bundled()))
    assert counts["title", "validation"] == pytest.approx(0.15 * titles, abs=1)
    assert counts["title", "test"] == pytest.approx(0.15 * titles, abs=1)
    assert abs(counts["natural", "validation"] - counts["natural", "test"]) <= 1
    assert counts["natural", "train"] == 0


def test_titles_of_natural_golds_follow_their_question(codes):
    split = split_queries(codes, CONFIG, 42)

    split_of_title = {cid: query.split for query in split.queries if query.source == "title" for cid in query.cids}
    for query in split.queries:
        if query.source == "natural":
            assert {split_of_title[cid] for cid in query.cids} == {query.split}


def asked(count: int, cid: str = "", **changes) -> list[Query]:
    return [Query(f"{cid}q{n}", f"câu hỏi {cid} số {n}", (cid or str(n),), **changes) for n in range(count)]


@pytest.mark.parametrize(
    ("queries", "config", "message"),
    [
        (asked(1), CONFIG, "is left to train on after the split, and ranking is learned from two or more"),
        (asked(20, "7"), DataConfig(seen_golds=True), "article 7 answers all 14 questions that are left to train on"),
        (asked(20, "7"), CONFIG, "article 7 answers all 20 questions that are left to train on"),
        (
            [*asked(20, "7"), *asked(20, "8")],
            CONFIG,
            r"none of 40 questions is left to test with .* ask about 2 articles, and those that share one stay together"
            r"\); .* data\.seen_golds: true",
        ),
        (
            [replace(query, text="như nhau") for query in asked(40)],
            CONFIG,
            r"none of 40 questions is left to test with .* 1 different texts, and equal ones stay together\); ask",
        ),
        (
            [*asked(9), *[replace(query, qid=f"t{query.qid}", split="test") for query in asked(9)]],
            CONFIG,
            r"none of 18 questions is left to train on .* share a text or an article with data\.test_questions",
        ),
    ],
)
def test_a_split_that_nothing_is_learned_from_is_refused_before_the_training(queries, config, message):
    with pytest.raises(ValidationError, match=f"^data: .*{message}"):
        split_queries(dataset_of(queries), config, 0)
