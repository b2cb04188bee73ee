"""Checks that a dataset holds together, and the counts that a person would ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from retrieval.data.cleaning import has_text, text_key
from retrieval.data.identifiers import fault_of, near_id, shown
from retrieval.errors import ValidationError
from retrieval.records import Article, Corpus, Dataset, Query

_PERCENTILES = (5, 25, 50, 75, 90, 99, 100)
_LONG_SYLLABLES = 5_000  # about 25 passages; more is often several articles pasted into one


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What a dataset holds.

    Attributes:
        source_name: File or source it was read from.
        articles: Articles in the corpus.
        passages: Passages cut from them; 0 before they are cut.
        queries: Queries of every source and split.
        queries_by_source: Query counts, such as ``{"title": 2582, "natural": 270}``.
        queries_by_split: Query counts; the key is empty before the split.
        golds: Judgements, that is pairs of a query and a relevant article.
        articles_without_query: Articles that no query has as gold.
        repeated_articles: Articles whose body another one before them has.
        repeated_queries: Queries whose text another one of the same source before them has.
        article_syllables: Percentiles of the body's length in syllables, by percentile (100 is the longest).
        query_syllables: The same for queries.
        passages_per_article: The same for the number of passages; empty before they are cut.
        warnings: Sentences about what is allowed but worth a look.
    """

    source_name: str
    articles: int
    passages: int
    queries: int
    queries_by_source: Mapping[str, int]
    queries_by_split: Mapping[str, int]
    golds: int
    articles_without_query: int
    repeated_articles: int
    repeated_queries: int
    article_syllables: Mapping[int, int]
    query_syllables: Mapping[int, int]
    passages_per_article: Mapping[int, int]
    warnings: tuple[str, ...]


def validate_dataset(
    dataset: Dataset, source_name: str, corpus_name: str = "", first_negative: int = 2
) -> ValidationReport:
    """Check every rule, then count.

    Args:
        dataset: At any stage after ingestion.
        source_name: Begins each error; a file or a source.
        corpus_name: Begins those about articles, where they come from another file.
        first_negative: Rank from which hard negatives are taken; a split dataset, which is to be trained on, needs as
            many different articles.

    Raises:
        ValidationError: If the corpus or the queries are empty; a cid or qid is empty or repeated; a body, question or
            list of golds is empty; a question has no letter or digit; a gold is not in the corpus; an article has no
            passage where others do; or a split dataset has too few different articles to learn from.
    """
    corpus, queries = dataset.corpus, dataset.queries
    _check_articles(corpus.articles, corpus_name or source_name)
    _check_passages(corpus, corpus_name or source_name)
    _check_queries(queries, corpus, source_name)
    repeated_articles = _repeats(text_key(article.text) for article in corpus.articles)
    if any(query.split for query in queries):
        _check_variety(len(corpus.articles), repeated_articles, max(2, first_negative), corpus_name or source_name)
    passages = Counter(passage.cid for passage in corpus.passages)
    article_lengths = [len(article.body.split()) for article in corpus.articles]
    golds = {cid for query in queries for cid in query.cids}
    report = ValidationReport(
        source_name=source_name,
        articles=len(corpus.articles),
        passages=len(corpus.passages),
        queries=len(queries),
        queries_by_source=dict(Counter(query.source for query in queries)),
        queries_by_split=dict(Counter(query.split for query in queries)),
        golds=sum(len(query.cids) for query in queries),
        articles_without_query=sum(article.cid not in golds for article in corpus.articles),
        repeated_articles=repeated_articles,
        repeated_queries=_repeats((query.source, text_key(query.text)) for query in queries),
        article_syllables=_percentiles(article_lengths),
        query_syllables=_percentiles([len(query.text.split()) for query in queries]),
        passages_per_article=_percentiles(list(passages.values())),
        warnings=(),
    )
    return _with_warnings(
        report, [a.cid for a, n in zip(corpus.articles, article_lengths, strict=True) if n > _LONG_SYLLABLES]
    )


def _check_articles(articles: Sequence[Article], source_name: str) -> None:
    if not articles:
        raise ValidationError(
            f"{source_name}: an empty corpus, nothing can be found in it; give it at least one article"
        )
    first_seen: dict[str, int] = {}
    for number, article in enumerate(articles, start=1):
        if not article.cid:
            raise ValidationError(f"{source_name}: article {number} has an empty cid; give it one")
        if fault := fault_of(article.cid):
            raise ValidationError(
                f"{source_name}: article {number}: cid {shown(article.cid)} {fault}; give it another cid"
            )
        first = first_seen.setdefault(article.cid, number)
        if first != number:
            raise ValidationError(
                f"{source_name}: article {number} repeats cid {article.cid} (first seen in article {first}); remove one"
            )
        if not article.body.strip():
            raise ValidationError(
                f"{source_name}: article {number} (cid {article.cid}) has an empty text after cleaning;"
                " remove it or fill it in"
            )


def _check_passages(corpus: Corpus, source_name: str) -> None:
    if not corpus.passages:
        return
    cut = {passage.cid for passage in corpus.passages}
    missing = [cid for cid in corpus.cids if cid not in cut]
    foreign = cut.difference(corpus.cids)
    if missing or foreign:
        what = f"article {missing[0]} has no passage" if missing else f"a passage is of {min(foreign)}, not an article"
        raise ValidationError(f"{source_name}: {what}; cut the passages again from this corpus")


def _check_variety(articles: int, repeated: int, needed: int, source_name: str) -> None:
    if articles - repeated < needed:
        same = f", {repeated} of them with the text of another" if repeated else ""
        raise ValidationError(
            f"{source_name}: {articles} articles{same}; a model learns to tell {needed} or more different ones apart"
            " (mining.first_rank), so add articles"
        )


def _check_queries(queries: Sequence[Query], corpus: Corpus, source_name: str) -> None:
    if not queries:
        raise ValidationError(f"{source_name}: no questions; give at least one")
    seen: set[str] = set()
    for query in queries:
        where = f"{source_name}: question {query.qid}"
        if not query.qid or query.qid in seen:
            raise ValidationError(
                f"{where} {'is repeated' if query.qid else 'has an empty qid'}; give each its own qid"
            )
        seen.add(query.qid)
        if fault := fault_of(query.qid):
            raise ValidationError(f"{source_name}: question {shown(query.qid)}: its qid {fault}; give it another")
        if not query.text.strip():
            raise ValidationError(f"{where} is an empty question after cleaning; remove it or fill it in")
        if not has_text(query.text):
            raise ValidationError(f"{where} is {query.text[:40]!r}, without a letter or digit; remove it or fill it in")
        if not query.cids:
            raise ValidationError(f"{where} lists no gold article; name one or remove it")
        for cid in query.cids:
            if cid not in corpus.row_of:
                raise ValidationError(
                    f"{where}: gold cid {shown(cid)} is not in the corpus; {near_id(cid, corpus.cids)}"
                )


def _repeats(keys: Iterable[object]) -> int:
    return sum(count - 1 for count in Counter(keys).values())


def _percentiles(values: Sequence[int]) -> dict[int, int]:
    """Nearest-rank percentiles, so that each is a value that occurs."""
    if not values:
        return {}
    found = np.percentile(np.asarray(values), _PERCENTILES, method="inverted_cdf")
    return {percentile: int(value) for percentile, value in zip(_PERCENTILES, found, strict=True)}


def _with_warnings(report: ValidationReport, long_cids: Sequence[str]) -> ValidationReport:
    splits = report.queries_by_split
    candidates = (
        (report.repeated_articles, f"{report.repeated_articles} articles repeat the text of another"),
        (report.repeated_queries, f"{report.repeated_queries} questions repeat the text of another"),
        (
            long_cids,
            f"{len(long_cids)} articles are above {_LONG_SYLLABLES} syllables, first {', '.join(long_cids[:3])}",
        ),
        (
            any(splits) and not splits.get("validation"),
            "no question is in validation, so weights and epochs stay as configured; raise data.validation_share",
        ),
    )
    return replace(report, warnings=tuple(sentence for found, sentence in candidates if found))
