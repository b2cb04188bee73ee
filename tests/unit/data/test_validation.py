"""Validation counts what a dataset holds and refuses one that does not hold together."""

from dataclasses import replace

import pytest

from retrieval.data.validation import validate_dataset
from retrieval.errors import ValidationError
from retrieval.records import Article, Corpus, Dataset, Passage, Query

ARTICLES = (Article("1", "Một", "a b c"), Article("2", "Hai", "d"), Article("3", "Hai", "d"))
QUERIES = (
    Query("q1", "hỏi gì", ("1",), source="natural", split="test"),
    Query("q2", "Hỏi gì?", ("1", "2"), source="natural", split="test"),
    Query("q3", "hỏi gì", ("2",), source="title", split="train"),
)
PASSAGES = (Passage("1", 0, "a b"), Passage("1", 1, "c"), Passage("2", 0, "d"), Passage("3", 0, "d"))
GOOD = Dataset(Corpus(ARTICLES, PASSAGES), QUERIES)


def test_counts_and_percentiles():
    report = validate_dataset(GOOD, "luật.csv")

    assert (report.articles, report.passages, report.queries, report.golds) == (3, 4, 3, 4)
    assert report.queries_by_source == {"natural": 2, "title": 1}
    assert report.queries_by_split == {"test": 2, "train": 1}
    assert report.articles_without_query == 1
    assert (report.article_syllables[50], report.article_syllables[100]) == (1, 3)
    assert report.passages_per_article[100] == 2


def test_repeated_texts_are_warnings_and_only_within_a_source():
    report = validate_dataset(GOOD, "luật.csv")

    assert (report.repeated_articles, report.repeated_queries) == (1, 1)
    assert report.warnings == (
        "1 articles repeat the text of another",
        "1 questions repeat the text of another",
        "no question is in validation, so weights and epochs stay as configured; raise data.validation_share",
    )


def test_questions_in_validation_or_not_split_yet_need_no_warning_about_it():
    judged = replace(GOOD, queries=(*QUERIES, Query("q4", "hỏi nữa", ("1",), split="validation")))
    loose = replace(GOOD, queries=tuple(replace(query, split="") for query in QUERIES))

    for dataset in (judged, loose):
        assert not [one for one in validate_dataset(dataset, "luật.csv").warnings if "validation" in one]


def test_an_article_of_100_000_characters_is_a_warning():
    dataset = replace(GOOD, corpus=Corpus((*ARTICLES, Article("4", "", "luật " * 20_000)), ()))

    assert "1 articles are above 5000 syllables, first 4" in validate_dataset(dataset, "luật.csv").warnings


def test_questions_in_any_script_and_articles_of_marks_alone_are_taken():
    corpus = Corpus((*ARTICLES, Article("4", "", "---"), Article("5", "", "第三条")), ())

    assert validate_dataset(Dataset(corpus, (Query("q", "연차", ("4",)),)), "luật.csv").articles == 5


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Dataset(Corpus((), ()), QUERIES), "an empty corpus, nothing can be found in it"),
        (Dataset(Corpus(ARTICLES, ()), ()), "no questions; give at least one"),
        (
            Dataset(Corpus((*ARTICLES, ARTICLES[0]), ()), QUERIES),
            r"article 4 repeats cid 1 \(first seen in article 1\)",
        ),
        (Dataset(Corpus((*ARTICLES, Article("", "", "x")), ()), QUERIES), "article 4 has an empty cid"),
        (Dataset(Corpus((*ARTICLES, Article("4", "x", " ")), ()), QUERIES), r"article 4 \(cid 4\) has an empty text"),
        (Dataset(Corpus(ARTICLES, PASSAGES[:3]), QUERIES), "article 3 has no passage; cut the passages again"),
        (Dataset(Corpus(ARTICLES, (*PASSAGES, Passage("9", 0, "x"))), QUERIES), "a passage is of 9, not an article"),
        (replace(GOOD, queries=(*QUERIES, QUERIES[0])), "question q1 is repeated; give each its own qid"),
        (replace(GOOD, queries=(Query("", "x", ("1",)),)), "has an empty qid"),
        (replace(GOOD, queries=(Query("q", " ", ("1",)),)), "question q is an empty question after cleaning"),
        (
            replace(GOOD, queries=(Query("q", "？…", ("1",)),)),
            "question q is '？…', without a letter or digit; remove it",
        ),
        (replace(GOOD, queries=(Query("q", "x"),)), "question q lists no gold article"),
        (
            replace(GOOD, queries=(Query("q", "x", ("33",)),)),
            "question q: gold cid 33 is not in the corpus; did you mean 3",
        ),
    ],
)
def test_a_dataset_that_does_not_hold_together_is_refused(dataset, message):
    with pytest.raises(ValidationError, match=rf"^luật\.csv: .*{message}"):
        validate_dataset(dataset, "luật.csv")


def test_errors_about_articles_name_the_corpus_file_and_those_about_questions_the_other():
    hollow = Dataset(Corpus((*ARTICLES, Article("4", "x", " ")), ()), QUERIES)

    with pytest.raises(ValidationError, match=r"^luật\.csv: article 4"):
        validate_dataset(hollow, "hỏi.csv", "luật.csv")
    with pytest.raises(ValidationError, match=r"^hỏi\.csv: question q lists no gold"):
        validate_dataset(replace(GOOD, queries=(Query("q", "x"),)), "hỏi.csv", "luật.csv")


def test_articles_that_a_model_cannot_tell_apart_are_refused_before_the_training():
    same = tuple(Article(str(n), "", "Một văn bản") for n in range(5))
    queries = (Query("q", "x", ("1",), split="train"),)

    with pytest.raises(
        ValidationError,
        match=r"^luật\.csv: 5 articles, 4 of them with the text of another; .* tell 2 or more",
    ):
        validate_dataset(Dataset(Corpus(same, ()), queries), "luật.csv")
    with pytest.raises(ValidationError, match=r"3 articles, 1 of them .* 3 or more different .*mining\.first_rank"):
        validate_dataset(GOOD, "luật.csv", first_negative=3)
    unsplit = Dataset(Corpus(same, ()), (replace(queries[0], split=""),))
    assert validate_dataset(unsplit, "luật.csv").articles == 5


@pytest.mark.parametrize("cid", ["a\tb", "a\nb", "x" * 501])
def test_ids_that_no_report_holds_are_refused_wherever_they_come_from(cid):
    with pytest.raises(ValidationError, match=r"^luật\.csv: article 4: cid .*; give it another cid"):
        validate_dataset(Dataset(Corpus((*ARTICLES, Article(cid, "", "x")), ()), QUERIES), "luật.csv")
    with pytest.raises(ValidationError, match=r"^luật\.csv: question .*: its qid .*; give it another"):
        validate_dataset(replace(GOOD, queries=(*QUERIES, Query(cid, "x", ("1",)))), "luật.csv")
