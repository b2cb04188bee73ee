"""A whole retriever joined, tuned on validation and measured on test; titles are hidden where they are the queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from retrieval.config import EvaluationConfig, SearchConfig
from retrieval.data.fields import hides_titles
from retrieval.errors import EvaluationError
from retrieval.evaluation.metrics import Evaluation, evaluate
from retrieval.evaluation.summary import HEADLINE_CUTOFFS, summary_table
from retrieval.models.encoder import BiEncoder
from retrieval.models.reranker import CrossEncoder
from retrieval.records import Dataset, Decision, Query, Run, qrels_of
from retrieval.runtime import Runtime
from retrieval.search.embedding import CorpusVectors, embed_queries
from retrieval.search.retriever import Retriever, RetrieverSettings
from retrieval.search.tuning import tune_first_stage, tune_reranking

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
    runs: tuple[Run, ...]

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
        found: Every stage's run.
    """

    retriever: Retriever
    found: JudgedRuns


def assess(
    dataset: Dataset,
    bi_encoder: BiEncoder,
    cross_encoder: CrossEncoder | None,
    vectors: CorpusVectors,
    config: SearchConfig,
    title_queries: int,
    seed: int,
    runtime: Runtime,
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

    Raises:
        EvaluationError: If there are no test queries.
    """
    validation = _grouped(held_out(dataset, "validation", title_queries, seed))
    test = _grouped(held_out(dataset, "test", title_queries, seed))
    if not test:
        raise EvaluationError("no test queries; give test questions or lower data.train_share + data.validation_share")
    tuned: dict[str, Retriever] = {}
    found: list[Mapping[str, Run]] = []
    for group, label in GROUPS.items():
        if group not in test and group not in validation:
            continue
        settings = RetrieverSettings.of(config, titles=group == "questions")
        retriever = Retriever.build(dataset.corpus, bi_encoder, cross_encoder, vectors, settings, runtime)
        tuned[group] = tune(retriever, validation.get(group, []), config, f"validate {label}")
        if group in test:
            found.append(tuned[group].runs(test[group], f"test {label}" if cross_encoder else None))
    queries = tuple(query for group in GROUPS for query in test.get(group, []))
    runs = tuple(joined([runs[stage] for runs in found]) for stage in found[0])
    return Assessment(_kept(tuned, dataset), JudgedRuns(queries, runs))


def assess_first_stage(
    dataset: Dataset,
    trained: tuple[BiEncoder, CorpusVectors],
    untouched: tuple[BiEncoder, CorpusVectors],
    config: SearchConfig,
    title_queries: int,
    seed: int,
    runtime: Runtime,
) -> JudgedRuns:
    """The test queries' runs of BM25, the untouched encoder, their best mix, the trained encoder and its hybrid.

    Args:
        dataset: Split, cut and segmented.
        trained: Encoder and the vectors it made.
        untouched: The encoder it started from and the vectors that one made.
        config: Weights to try on validation.
        title_queries: Queries made from titles used in each split, drawn by seed; 0 takes all.
        seed: Of that draw.
        runtime: Where to compute.
    """
    after, before = (
        assess(dataset, encoder, None, vectors, config, title_queries, seed, runtime).found
        for encoder, vectors in (trained, untouched)
    )
    bm25, plain, mix = before.runs
    _, dense, hybrid = after.runs
    runs = (bm25, replace(plain, name="untouched"), replace(mix, name="mix"), replace(dense, name="trained"), hybrid)
    return JudgedRuns(after.queries, runs)


def summary_text(
    found: JudgedRuns, decision: Decision, versions: Mapping[str, str], config: EvaluationConfig, seed: int
) -> str:
    """What a person reads at the end of a training: a table for each kind of query, the verdict and the versions."""
    parts = []
    cutoffs = sorted({*config.cutoffs, *HEADLINE_CUTOFFS})
    evaluations = found.evaluations(cutoffs)
    for group, queries in _grouped(found.queries).items():
        chosen = [evaluation.select([query.qid for query in queries]) for evaluation in evaluations.values()]
        table = summary_table(chosen, config.bootstrap_samples, seed)
        parts.append(f"Test, {GROUPS[group]}\n{table}")
    verdict = "passed" if decision.passed else "refused"
    parts.append("\n".join([f"Gate: {verdict}", *(f"  - {reason}" for reason in decision.reasons)]))
    made = [f"  {name} {version}" for name, version in versions.items() if name.startswith("legal-")]
    stage = "staging" if versions.get("staged") == "yes" else "not staged"
    parts.append("\n".join([f"Versions ({stage})", *made]))
    return "\n\n".join(parts)


def tune(retriever: Retriever, queries: Sequence[Query], config: SearchConfig, label: str) -> Retriever:
    """The retriever with its weights chosen on these queries; as it was where there are none."""
    if not queries:
        return retriever
    vectors = embed_queries(retriever.bi_encoder, list(queries), retriever.runtime)
    retriever = tune_first_stage(retriever, queries, vectors, config)
    if retriever.cross_encoder is None:
        return retriever
    stage = retriever.first_stage(queries, vectors)
    logits = retriever.logits(queries, stage, max(config.rerank_depths), label)
    return tune_reranking(retriever, queries, stage, logits, config)


def held_out(dataset: Dataset, split: str, title_queries: int, seed: int) -> list[Query]:
    """Queries of a split, those made from titles cut to ``title_queries`` (0: all) drawn by seed, in dataset order."""
    queries = [query for query in dataset.select(split) if query.cids]
    made = [position for position, query in enumerate(queries) if hides_titles(query)]
    if title_queries and len(made) > title_queries:
        drawn = np.random.default_rng(seed).permutation(len(made))[title_queries:]
        dropped = {made[int(index)] for index in drawn}
        return [query for position, query in enumerate(queries) if position not in dropped]
    return queries


def joined(runs: Sequence[Run]) -> Run:
    """One run of all their queries, in order; they search the same articles and may differ in depth."""
    depth = max(run.rows.shape[1] for run in runs)
    rows = [np.pad(run.rows, ((0, 0), (0, depth - run.rows.shape[1])), constant_values=-1) for run in runs]
    scores = [np.pad(run.scores, ((0, 0), (0, depth - run.scores.shape[1])), constant_values=-np.inf) for run in runs]
    qids = tuple(qid for run in runs for qid in run.qids)
    return Run(runs[0].name, qids, runs[0].cids, np.concatenate(rows), np.concatenate(scores))


def _grouped(queries: Sequence[Query]) -> dict[str, list[Query]]:
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
