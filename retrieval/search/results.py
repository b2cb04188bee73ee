"""What a question is answered with: articles, the passage of each that speaks, and the scores that ranked it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from retrieval.records import Article, Corpus, TrecRun
from retrieval.search.citations import Named
from retrieval.search.fusion import min_max
from retrieval.search.rerank import blend_probabilities

if TYPE_CHECKING:
    from retrieval.search.dense import DenseIndex
    from retrieval.search.settings import RetrieverSettings

Citation = Literal["article", "law_or_number"]


@dataclass(frozen=True)
class FirstStage:
    """What the first stage knows of some queries.

    Attributes:
        vectors: (Q, D) query vectors.
        bm25: Lexical run.
        dense: Vector run.
        hybrid: Their mix, with what the queries name sooner.
        named: (Q,) what each query names; empty where nobody looked.
    """

    vectors: NDArray[np.float32]
    bm25: TrecRun
    dense: TrecRun
    hybrid: TrecRun
    named: tuple[Named, ...] = ()

    def part(self, positions: Sequence[int]) -> FirstStage:
        """The same for the queries at some positions, in the order given."""
        qids = [self.hybrid.qids[position] for position in positions]
        bm25, dense, hybrid = (run.select(qids) for run in (self.bm25, self.dense, self.hybrid))
        named = tuple(self.named[position] for position in positions) if self.named else ()
        return FirstStage(self.vectors[list(positions)], bm25, dense, hybrid, named)


@dataclass(frozen=True, slots=True)
class FirstStageScores:
    """Why the first stage ranks an article where it does.

    Attributes:
        bm25: BM25's score; None where the article is not among BM25's candidates.
        bm25_scaled: The same among this question's candidates, within [0, 1]; 0 where there is none.
        dense: Score of the two vector fields together; None where the article is not among their candidates.
        dense_scaled: The same within [0, 1]; 0 where there is none.
        passage: Cosine of question and best passage.
        title: Cosine of question and title; None where titles are not searched.
        hybrid: What ranks it: the mix of both scaled scores, moved where the question names laws or articles.
        citation: "article" where the question names it, "law_or_number" where it names its law, or its number without a
            law.
    """

    bm25: float | None
    bm25_scaled: float
    dense: float | None
    dense_scaled: float
    passage: float
    title: float | None
    hybrid: float
    citation: Citation | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One article in an answer.

    Attributes:
        article: The article.
        score: What it was ranked by.
        snippet: Its passage nearest to the question.
        first_stage: The scores behind its place in the first stage.
        reranker: Probability that the cross-encoder gave it; None where it was not read.
    """

    article: Article
    score: float
    snippet: str
    first_stage: FirstStageScores
    reranker: float | None = None


def answers_of(
    corpus: Corpus, index: DenseIndex, stage: FirstStage, run: TrecRun, k: int, titles: bool
) -> list[Answer]:
    """The best articles of a run of one question, with the first stage's scores of each.

    Args:
        corpus: What was searched.
        index: Its vectors.
        stage: What the first stage knows of that question.
        run: The stage's hybrid run, or the same reordered.
        k: Articles to give.
        titles: Whether titles were searched.
    """
    hits = run.hits(0)[:k]
    rows = [corpus.row_of[hit.cid] for hit in hits]
    passages = index.best_passages(stage.vectors, run.rows[:, :k])[0].tolist()[: len(hits)]  # padding lies at the end
    scores = _first_stage_scores(index, stage, rows, passages, titles)
    return [
        Answer(corpus.articles[row], hit.score, corpus.passages[passage].text, score)
        for hit, row, passage, score in zip(hits, rows, passages, scores, strict=True)
    ]


def to_rerank(found: Sequence[Answer], settings: RetrieverSettings) -> list[Answer]:
    """What the reranker reads of the first stage's answers, best first; nothing where it has no share."""
    return list(found[: settings.rerank_depth]) if settings.rerank_weight > 0.0 else []


def reranked(found: Sequence[Answer], probabilities: Sequence[float], settings: RetrieverSettings) -> list[Answer]:
    """Answers in the order of the first stage's score and the reranker's probability together.

    Args:
        found: By the first stage, best first.
        probabilities: Of those that `to_rerank` gave, in order; with none the first stage's order stands.
        settings: The reranker's share.

    Returns:
        As many as were found. Those that were read say their probability and score within [0, 1], the rest below 0.
    """
    if not len(probabilities):
        return list(found)
    rows = np.arange(len(found), dtype=np.int32)[None, :]
    scores = np.array([[answer.score for answer in found]], dtype=np.float32)
    run = TrecRun("hybrid", ("live",), tuple(answer.article.cid for answer in found), rows, scores)
    given = np.array([probabilities], dtype=np.float32)
    mixed = blend_probabilities(run, given, len(probabilities), settings.rerank_weight)
    order = zip(mixed.rows[0].tolist(), mixed.scores[0].tolist(), strict=True)
    return [
        replace(found[row], score=score, reranker=float(probabilities[row]) if row < len(probabilities) else None)
        for row, score in order
    ]


def _first_stage_scores(
    index: DenseIndex, stage: FirstStage, rows: Sequence[int], passage_rows: Sequence[int], titles: bool
) -> list[FirstStageScores]:
    bm25, dense, hybrid = (_by_row(run, run.scores) for run in (stage.bm25, stage.dense, stage.hybrid))
    bm25_scaled, dense_scaled = (_by_row(run, min_max(run.scores)) for run in (stage.bm25, stage.dense))
    named = stage.named[0] if stage.named else Named()
    fields, question = titles and len(index.titles) > 0, stage.vectors[0]
    return [
        FirstStageScores(
            bm25.get(row),
            bm25_scaled.get(row, 0.0),
            dense.get(row),
            dense_scaled.get(row, 0.0),
            float(index.passages[passage] @ question),
            float(index.titles[row] @ question) if fields else None,
            hybrid.get(row, 0.0),
            "article" if row in named.articles else "law_or_number" if row in named.parts else None,
        )
        for row, passage in zip(rows, passage_rows, strict=True)
    ]


def _by_row(run: TrecRun, scores: NDArray[np.float32]) -> dict[int, float]:
    pairs = zip(run.rows[0].tolist(), scores[0].tolist(), strict=True)
    return {row: score for row, score in pairs if row >= 0}
