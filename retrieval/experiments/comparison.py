"""What the retriever in production answers to the questions a candidate was tested with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from retrieval.data.fields import hides_titles
from retrieval.evaluation.metrics import Evaluation, evaluate
from retrieval.experiments.assessment import JudgedRuns
from retrieval.records import Query, qrels_of
from retrieval.search.retriever import Retriever


def evaluation_on_same_questions(
    candidate: Sequence[Query], production: JudgedRuns, load: Callable[[], Retriever], cutoffs: Sequence[int]
) -> Evaluation:
    """Metrics of production's last stage on questions that the candidate answered too, with the same golds.

    What production found when it was tested is taken where that test had all of the candidate's questions; otherwise
    its retriever searches for them now. Queries made from titles cannot be asked again, because a
    kept retriever has the titles in its index; where there are only those, their ids, which name the article, are
    compared.

    Args:
        candidate: Test queries of the candidate.
        production: What production found in its own test.
        load: Gives production's retriever.
        cutoffs: Of the metrics.

    Returns:
        On production's own test queries or on the candidate's questions; the gate compares the queries both have.
    """
    known = {query.qid: query for query in production.queries}
    asked = [query for query in candidate if not hides_titles(query)]
    if any(query.qid not in known or not _same(query, known[query.qid]) for query in asked):
        found = list(load().runs(asked, "production").values())[-1]
        return evaluate(found, qrels_of(asked), cutoffs)
    return evaluate(production.runs[-1], qrels_of(production.queries), cutoffs)


def _same(one: Query, other: Query) -> bool:
    return one.text == other.text and set(one.cids) == set(other.cids)
