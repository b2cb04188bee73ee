"""Scores a question file with a kept retriever, in its own corpus or in another one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from retrieval.config.schema import EvaluationConfig
from retrieval.data.cleaning import clean_dataset, clean_text, has_text
from retrieval.data.passages import cut_passages
from retrieval.data.segmentation import segment_dataset
from retrieval.data.sources.soict import Duplicates, read_corpus, read_questions
from retrieval.errors import EvaluationError, ValidationError
from retrieval.evaluation.reports import Extra, Report, write_report
from retrieval.evaluation.reranking import evaluate_reranking
from retrieval.evaluation.trec import write_qrels, write_trec
from retrieval.experiments.assessment import JudgedRuns
from retrieval.records import Corpus, Dataset, qrels_of
from retrieval.search.embedding import embed_corpus
from retrieval.search.retriever import Retriever

TREC_DEPTH = 100
QRELS = "qrels.trec"
_ABSENT = "correct it, or name the file of the law that is asked about with --set evaluation.corpus=FILE"

_logger = logging.getLogger(__name__)


def index_corpus_file(
    retriever: Retriever, path: Path, duplicates: Duplicates, max_tokens: int, overlap_tokens: int, workers: int
) -> Retriever:
    """The same models and weights over the articles of a file: cleaned, cut, segmented, embedded and indexed.

    Args:
        retriever: Its models and settings are taken.
        path: Corpus file (cid,text).
        duplicates: What a repeated cid does.
        max_tokens: Longest passage.
        overlap_tokens: Tokens shared by neighbouring pieces of one long khoản.
        workers: Processes for word segmentation; 0 takes one a core.

    Raises:
        SourceError: If the file is missing, unreadable or has the wrong columns.
        ValidationError: If a row breaks a rule.
    """
    articles = clean_dataset(Dataset(Corpus(read_corpus(path, duplicates), ()), ())).corpus.articles
    passages = cut_passages(articles, retriever.bi_encoder.tokenizer.offsets, max_tokens, overlap_tokens)
    corpus = segment_dataset(Dataset(Corpus(articles, passages), ()), workers).corpus
    vectors = embed_corpus(retriever.bi_encoder, corpus, retriever.runtime)
    models = (retriever.bi_encoder, retriever.cross_encoder)
    return Retriever.build(corpus, *models, vectors, retriever.settings, retriever.runtime)


def check_files(questions: Path, corpus: Path | None, duplicates: Duplicates) -> None:
    """Read what is to be scored, in seconds, so that a wrong row is not found after a corpus was embedded.

    Args:
        questions: Questions file (qid,question,cid).
        corpus: Corpus file (cid,text) they are asked of; None is the retriever's own, whose ids are not known here.
        duplicates: What a repeated id does.

    Raises:
        SourceError: If a file is missing, unreadable or has the wrong columns.
        ValidationError: If a row breaks a rule or names an article that is not in the corpus file.
    """
    articles = read_corpus(corpus, duplicates) if corpus else ()
    hollow = next((article.cid for article in articles if not clean_text(article.body)), None)
    if hollow is not None:
        raise ValidationError(f"{corpus}: cid {hollow} has an empty text after cleaning; remove it or fill it in")
    if articles and not any(has_text(article.body) for article in articles):
        raise ValidationError(
            f"{corpus}: no letter or digit in the texts of {len(articles)} articles, so nothing can be found in them;"
            " check that the column text holds the law"
        )
    known = {article.cid: None for article in articles} if corpus else None
    read_questions(questions, duplicates, known)


def search_question_file(retriever: Retriever, path: Path, duplicates: Duplicates) -> JudgedRuns:
    """Every stage's run over the questions of a file.

    Args:
        retriever: Searches its corpus.
        path: Questions file (qid,question,cid).
        duplicates: What a repeated qid does.

    Raises:
        SourceError: If the file is missing, unreadable or has the wrong columns.
        ValidationError: If a row breaks a rule or names an article that is not in the corpus.
    """
    asked = read_questions(path, duplicates, retriever.corpus.row_of, _ABSENT)
    prepared = retriever.prepare([query.text for query in asked])
    queries = tuple(
        replace(query, text=ready.text, segmented=ready.segmented) for query, ready in zip(asked, prepared, strict=True)
    )
    return JudgedRuns(queries, tuple(retriever.runs(queries, "rerank").values()))


def report_runs(
    folder: Path, found: JudgedRuns, corpus: Corpus, config: EvaluationConfig, facts: Mapping[str, str], seed: int
) -> Report:
    """Write the report and then, beside it, each run and the judgements in TREC form.

    A TREC file that cannot be written is told in the log: the report, which took the scoring, is worth more.

    Args:
        folder: Made where missing.
        found: The runs; the last one is the main one.
        corpus: Where titles are looked up.
        config: Cutoffs, bootstrap samples and number of cases.
        facts: Lines under the title.
        seed: Of the bootstrap.
    """
    runs = {run.name: run for run in found.runs}
    reranking = None
    if "reranked" in runs:
        reranking = evaluate_reranking(runs["hybrid"], runs["reranked"], qrels_of(found.queries))
    extra = Extra(reranking=reranking, facts=facts, seed=seed)
    report = write_report(folder, "Retriever", found.runs, found.queries, corpus, config, extra)
    _write_trec_files(folder, found)
    return report


def _write_trec_files(folder: Path, found: JudgedRuns) -> None:
    writers = {f"run.{run.name}.trec": partial(write_trec, run, depth=TREC_DEPTH) for run in found.runs}
    writers[QRELS] = partial(write_qrels, qrels_of(found.queries))
    for name, write in writers.items():
        _write_or_tell(folder / name, write)


def _write_or_tell(path: Path, write: Callable[..., None]) -> None:
    try:
        write(path=path)
    except (EvaluationError, OSError) as error:
        _logger.warning("%s: not written (%s); the report beside it is whole", path, error)
