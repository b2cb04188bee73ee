"""A version's retriever taken from the artifact store as it would be served, and asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from registry.versions import MAIN, RETRIEVER, artifact_of, find_version, test_runs_of
from retrieval.data.fields import hides_titles
from retrieval.errors import ArtifactError, ConfigError, StorageError
from retrieval.evaluation.metrics import Evaluation
from retrieval.evaluation.trial import Trial, try_bundle
from retrieval.experiments.comparison import evaluation_on_same_questions
from retrieval.records import Query
from retrieval.search.retriever import Retriever


def retriever_of(version: str) -> Retriever:
    """The retriever of a version, every file checked."""
    loaded: Retriever = artifact_of(find_version(version), MAIN[RETRIEVER]).load()
    return loaded


def check_bundle_of(version: str, questions: int) -> Trial:
    """Load a version's bundle and ask it some of its test questions, one by one.

    Args:
        version: Of legal-retriever.
        questions: How many at most; written questions before those made from titles.
    """
    queries = sorted(test_runs_of(version).queries, key=hides_titles)[:questions]

    def load() -> Callable[[str], object]:
        return retriever_of(version).search

    return try_bundle(load, [query.text for query in queries])


def production_ready(production: str) -> None:
    """See, before a training, that the version it will be compared with at its end can be read.

    Args:
        production: Version of legal-retriever; empty where there is none.

    Raises:
        ArtifactError: If what it found in its own test is gone or damaged.
    """
    if not production:
        return
    try:
        test_runs_of(production)
    except (ArtifactError, ConfigError, StorageError) as error:
        raise ArtifactError(
            f"{RETRIEVER} {production} is in production, so this training has to be compared with it, but its test"
            f" results cannot be read: {error}; or put another version into production with `python run.py --pipeline"
            f" promotion --set promotion.version=N`, or archive it with `zenml model version update"
            f" {RETRIEVER} {production} -s archived`"
        ) from error


def production_on(production: str, candidate: Sequence[Query], cutoffs: Sequence[int]) -> Evaluation | None:
    """What production answers to a candidate's test queries; None where nothing is in production.

    Args:
        production: Version of legal-retriever; empty where there is none.
        candidate: Test queries of the candidate.
        cutoffs: Of the metrics.
    """
    if not production:
        return None
    return evaluation_on_same_questions(candidate, test_runs_of(production), lambda: retriever_of(production), cutoffs)
