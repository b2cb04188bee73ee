"""A whole retriever joined, tuned on validation and measured on test; titles are hidden where they are the queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from retrieval.config.schema import SearchConfig
from retrieval.data.fields import hides_titles
from retrieval.errors import EvaluationError
from retrieval.evaluation.metrics import Evaluation, evaluate
from retrieval.experiments.tuning import tune_first_stage, tune_reranking
from retrieval.models.bi_encoder import BiEncoder
from retrieval.models.cross_encoder import CrossEncoder
from retrieval.models.frozen_layers import TokenStates
from retrieval.records import Dataset, Query, TrecRun, qrels_of
from retrieval.runtime import Runtime
from retrieval.search.embedding import CorpusVectors, embed_queries
from retrieval.search.retriever import Retriever
from retrieval.search.settings import RetrieverSettings

GROUPS = {"titles": "titles as questions", "questions": "questions"}
"""Queries made from titles are searched without the title field; all others with it."""


@dataclass(frozen=True)
class JudgedRuns:
    """What several searchers found for the same queries.

    Attributes:
        queries: (Q,) with their golds, in the order of the runs.
        runs: First stage first; each has its own name.
    """

    queries: tuple[Query, ...]
    runs: tuple[TrecRun, ...]

    def evaluations(self, cutoffs: Sequence[int]) -> dict[str, Evaluation]:
        """Every run's metrics by its name."""
        qrels = qrels_of(self.queries)
        return {run.name: evaluate(run, qrels, cutoffs) for run in self.runs}

    def select(self, *names: str) -> JudgedRuns:
        """The same queries with only the runs named, in the order named."""
        by_name = {run.name: run for run in self.runs}
        return JudgedRuns(self.queries, tuple(by_name[name] for name in names))


@dataclass(frozen=True)
class Assessment:
    """A tuned retriever and what it found for the test queries.

    Attributes:
        retriever: The one to keep: tuned on validation questions where there are any.
        test: Every stage's run for the test queries.
        validation: The same for the queries that chose the weights; without queries where there are none.
    """

    retriever: Retriever
    test: JudgedRuns
    validation: JudgedRuns


@dataclass(frozen=True)
class FirstStageAssessment:
    """What BM25, both encoders and their mixes found.

    Attributes:
        test: Runs for the test queries.
        validation: Runs for the validation queries.
    """

    test: JudgedRuns
    validation: JudgedRuns


def assess(
    dataset: Dataset,
    bi_encoder: BiEncoder,
    cross_encoder: CrossEncoder | None,
    vectors: CorpusVectors,
    config: SearchConfig,
    title_queries: int,
    seed: int,
    runtime: Runtime,
    states: TokenStates | None = None,
) -> Assessment:
    """Join the parts, choose the weights on validation, and search for the test queries.

    Queries made from titles have weights of their own, chosen without the title field.

    Args:
        dataset: Split, cut and segmented.
        bi_encoder: First stage; made ``vectors``.
        cross_encoder: Reranker; None measures the first stage alone.
        vectors: Of the dataset's corpus.
        config: Weights and depths to try.
        title_queries: Queries made from titles used in each split, drawn by seed; 0 takes all.
        seed: Of that draw.
        runtime: Where to compute.
        states: Validation and test queries after the bi-encoder's lowest layers, where that is known.

    Raises:
        EvaluationError: If there are no test queries.
    """
    validation = grouped(held_out(dataset, "validation", title_queries, seed))
    test = grouped(held_out(dataset, "test", title_queries, seed))
    if not test:
        raise EvaluationError("no test queries; give test questions or lower data.train_share + data.validation_share")
    tuned: dict[str, Retriever] = {}
    found: dict[str, list[Mapping[str, TrecRun]]] = {"validation": [], "test": []}
    for group, label in GROUPS.items():
        if group not in test and group not in validation:
            continue
        settings = settings_of(group, config)
        retriever = Retriever.build(dataset.corpus, bi_encoder, cross_encoder, vectors, settings, runtime)
        tuned[group], runs = tune(retriever, validation.get(group, []), config, f"validate {label}", states)
        found["validation"] += [runs] if runs else []
        if group in test:
            encoded = embed_queries(bi_encoder, test[group], runtime, states)
            found["test"].append(tuned[group].runs(test[group], f"test {label}" if cross_encoder else None, encoded))
    return Assessment(_kept(tuned, dataset), _judged(test, found["test"]), _judged(validation, found["validation"]))


def settings_of(group: str, config: SearchConfig) -> RetrieverSettings:
    """Settings before tuning for the queries of one group of `GROUPS`."""
    return RetrieverSettings.of(config, titles=group == "questions")


def _judged(queries: Mapping[str, Sequence[Query]], found: Sequence[Mapping[str, TrecRun]]) -> JudgedRuns:
    """Runs of all groups, one after another in the order of `GROUPS`."""
    together = tuple(query for group in GROUPS for query in queries.get(group, []))
    return JudgedRuns(together, tuple(joined([runs[stage] for runs in found]) for stage in (found[0] if found else ())))


def assess_first_stage(
    dataset: Dataset,
    trained: tuple[BiEncoder, CorpusVectors],
    pretrained: tuple[BiEncoder, CorpusVectors],
    config: SearchConfig,
    title_queries: int,
    seed: int,
    runtime: Runtime,
    states: TokenStates | None = None,
) -> FirstStageAssessment:
    """Runs of BM25, the pretrained encoder, their best mix, the trained encoder and its hybrid.

    The baselines are what anyone would set up: best passage and title. An article's lead passage as a field of
    its own, the headings above it and the names of laws in a question belong to the retriever.

    Args:
        dataset: Split, cut and segmented.
        trained: Encoder and the vectors it made.
        pretrained: The encoder it started from and the vectors that one made.
        config: Weights to try on validation.
        title_queries: Queries made from titles used in each split, drawn by seed; 0 takes all.
        seed: Of that draw.
        runtime: Where to compute.
        states: Validation and test queries after the lowest layers, which both encoders share, where that is known.
    """
    plain = config.model_copy(update={"lead_passage_weights": (0.0,), "bm25_headings": False, "citation_weight": 0.0})
    after, before = (
        assess(dataset, encoder, None, vectors, weights, title_queries, seed, runtime, states)
        for (encoder, vectors), weights in ((trained, config), (pretrained, plain))
    )
    return FirstStageAssessment(_compared(before.test, after.test), _compared(before.validation, after.validation))


def _compared(before: JudgedRuns, after: JudgedRuns) -> JudgedRuns:
    """First-stage runs of two encoders side by side, under names that tell them apart."""
    if not after.runs:
        return after
    bm25, plain, mix = before.runs
    _, dense, hybrid = after.runs
    runs = (bm25, replace(plain, name="zero-shot"), replace(mix, name="mix"), replace(dense, name="trained"), hybrid)
    return JudgedRuns(after.queries, runs)


def with_reranked(first_stage: JudgedRuns, found: JudgedRuns) -> JudgedRuns:
    """The runs of the same queries side by side: the baselines, the retriever's own first stage, reranked."""
    own = {run.name: run for run in found.runs if run.name not in ("bm25", "dense")}
    names = dict.fromkeys([*(run.name for run in first_stage.runs), *own])
    of_first = {run.name: run for run in first_stage.runs}
    return JudgedRuns(found.queries, tuple(own.get(name) or of_first[name] for name in names))


def tune(
    retriever: Retriever, queries: Sequence[Query], config: SearchConfig, label: str, states: TokenStates | None = None
) -> tuple[Retriever, dict[str, TrecRun]]:
    """The retriever with its weights chosen on these queries, and its runs of them; as it was where there are none."""
    if not queries:
        return retriever, {}
    vectors = embed_queries(retriever.bi_encoder, queries, retriever.runtime, states)
    retriever = tune_first_stage(retriever, queries, vectors, config)
    if retriever.cross_encoder is None:
        return retriever, retriever.runs(queries, label, vectors)
    count = min(config.rerank_tuning_queries or len(queries), len(queries))
    drawn = np.linspace(0, len(queries) - 1, count).astype(int)  # evenly, so that every law has its share
    asked = [queries[row] for row in drawn]
    stage = retriever.first_stage(asked, vectors[drawn])
    logits = retriever.logits(asked, stage, max(config.rerank_depths), label)
    retriever = tune_reranking(retriever, asked, stage, logits, config)
    known = {query.qid: own for query, own in zip(asked, logits, strict=True)}
    return retriever, retriever.runs(queries, label, vectors, known)


def held_out(dataset: Dataset, split: str, title_queries: int, seed: int) -> list[Query]:
    """Queries of a split, those made from titles cut to ``title_queries`` (0: all) drawn by seed, in dataset order."""
    queries = [query for query in dataset.select(split) if query.cids]
    made = [position for position, query in enumerate(queries) if hides_titles(query)]
    if title_queries and len(made) > title_queries:
        drawn = np.random.default_rng(seed).permutation(len(made))[title_queries:]
        dropped = {made[int(index)] for index in drawn}
        return [query for position, query in enumerate(queries) if position not in dropped]
    return queries


def joined(runs: Sequence[TrecRun]) -> TrecRun:
    """One run of all their queries, in order; they search the same articles and may differ in depth."""
    depth = max(run.rows.shape[1] for run in runs)
    rows = [np.pad(run.rows, ((0, 0), (0, depth - run.rows.shape[1])), constant_values=-1) for run in runs]
    scores = [np.pad(run.scores, ((0, 0), (0, depth - run.scores.shape[1])), constant_values=-np.inf) for run in runs]
    qids = tuple(qid for run in runs for qid in run.qids)
    return TrecRun(runs[0].name, qids, runs[0].cids, np.concatenate(rows), np.concatenate(scores))


def grouped(queries: Sequence[Query]) -> dict[str, list[Query]]:
    """Queries by the kind of `GROUPS` they belong to."""
    groups: dict[str, list[Query]] = {}
    for query in queries:
        groups.setdefault("titles" if hides_titles(query) else "questions", []).append(query)
    return groups


def _kept(tuned: Mapping[str, Retriever], dataset: Dataset) -> Retriever:
    """The retriever that answers people: titles are a field of it whatever it was tuned on."""
    if "questions" in tuned:
        return tuned["questions"]
    other = tuned["titles"]
    settings = replace(other.settings, titles=True)
    vectors = CorpusVectors(other.index.passages, other.index.titles)
    return Retriever.build(dataset.corpus, other.bi_encoder, other.cross_encoder, vectors, settings, other.runtime)
