"""One entry to all sources: from a configuration to a dataset that is neither cleaned, cut nor split yet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from retrieval.config.schema import DataConfig
from retrieval.data.sources.bundled_codes import load_bundled
from retrieval.data.sources.soict import read_corpus, read_questions
from retrieval.data.splits import NATURAL, TEST
from retrieval.data.weak_supervision import QUESTION, clause_queries, path_queries, template_queries, title_queries
from retrieval.errors import ConfigError, ValidationError
from retrieval.records import Article, Corpus, Dataset, Query

logger = logging.getLogger(__name__)


def ingest(config: DataConfig, seed: int) -> Dataset:
    """Read the articles and questions of the configured source.

    Args:
        config: Source, files and weak supervision.
        seed: Draws the weak queries.

    Returns:
        Articles, without passages, and queries; only those of a test file have a split.

    Raises:
        ConfigError: If the configuration names an unknown law.
        SourceError: If a file is missing, unreadable or has the wrong columns.
        ValidationError: If a row breaks a rule.
    """
    return _SOURCES[config.source](config, seed)


def _bundled(config: DataConfig, seed: int) -> Dataset:
    articles = load_bundled(config.laws)
    queries = [*_written(config.natural_questions, NATURAL, config, articles), *title_queries(articles)]
    queries += _written(config.training_questions, QUESTION, config, articles)
    queries += clause_queries(articles, config.clause_queries, seed)
    queries += path_queries(articles) if config.path_queries else []
    queries += template_queries(articles, config.template_queries, seed)
    return Dataset(Corpus(articles, ()), tuple(queries))


def _written(path: Path | None, source: str, config: DataConfig, articles: tuple[Article, ...]) -> list[Query]:
    """Hand-written questions about the laws taken; those about a bundled law that was left out are dropped."""
    if path is None:
        return []
    known = {article.cid for article in load_bundled()}
    taken = {article.cid for article in articles}
    queries = read_questions(path, config.duplicates, known)
    kept = [replace(query, source=source) for query in queries if taken.issuperset(query.cids)]
    if len(kept) < len(queries):
        logger.info(
            "%s: %d of %d questions are about laws not in data.laws", path, len(queries) - len(kept), len(queries)
        )
    return kept


def _csv(config: DataConfig, _seed: int) -> Dataset:
    corpus_path, questions_path = _required(config)
    articles = read_corpus(corpus_path, config.duplicates)
    known = {article.cid for article in articles}
    queries = list(read_questions(questions_path, config.duplicates, known))
    if config.test_questions is not None:
        tests = read_questions(config.test_questions, config.duplicates, known)
        _check_disjoint(config.test_questions, tests, questions_path, queries)
        queries += [replace(query, split=TEST) for query in tests]
    return Dataset(Corpus(articles, ()), tuple(queries))


def _required(config: DataConfig) -> tuple[Path, Path]:
    if config.corpus is None or config.questions is None:
        raise ConfigError("data.source csv needs data.corpus and data.questions; set both to files")
    return config.corpus, config.questions


def _check_disjoint(test_path: Path, tests: tuple[Query, ...], path: Path, queries: list[Query]) -> None:
    repeated = {query.qid for query in queries}.intersection(query.qid for query in tests)
    if repeated:
        whole = len(repeated) == len(tests)
        mend = "name a file of other questions, or leave data.test_questions out" if whole else "give them other ids"
        raise ValidationError(f"{test_path}: qid {min(repeated)} is also in {path} ({len(repeated)} such); {mend}")


_SOURCES: Mapping[str, Callable[[DataConfig, int], Dataset]] = {"bundled": _bundled, "csv": _csv}
