"""Scores a question file with a kept retriever, in its own corpus or in another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from retrieval.assessment import JudgedRuns
from retrieval.config import EvaluationConfig
from retrieval.data.cleaning import clean_dataset
from retrieval.data.passages import cut_passages
from retrieval.data.segmentation import segment_dataset
from retrieval.data.soict import Duplicates, read_corpus, read_questions
from retrieval.evaluation.reports import Extra, Report, write_report
from retrieval.evaluation.reranking import evaluate_reranking
from retrieval.evaluation.trec import write_trec
from retrieval.records import Corpus, Dataset, qrels_of
from retrieval.search.embedding import embed_corpus
from retrieval.search.retriever import Retriever

TREC_DEPTH = 100


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
    asked = read_questions(path, duplicates, retriever.corpus.row_of)
    prepared = retriever.prepare([query.text for query in asked])
    queries = tuple(
        replace(query, text=ready.text, segmented=ready.segmented) for query, ready in zip(asked, prepared, strict=True)
    )
    return JudgedRuns(queries, tuple(retriever.runs(queries, "rerank").values()))


def report_runs(
    folder: Path, found: JudgedRuns, corpus: Corpus, config: EvaluationConfig, facts: Mapping[str, str], seed: int
) -> Report:
    """Write the report and, beside it, each run in TREC form.

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
    for run in found.runs:
        write_trec(run, folder / f"run.{run.name}.trec", TREC_DEPTH)
    extra = Extra(reranking=reranking, facts=facts, seed=seed)
    return write_report(folder, "Retriever", found.runs, found.queries, corpus, config, extra)
