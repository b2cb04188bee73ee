"""What the cross-encoder learns from: mined negatives of every query, and the passage that stands for each article."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.config.schema import MiningConfig
from retrieval.data.fields import TextKind, hides_titles, reranker_document
from retrieval.models.bi_encoder import BiEncoder
from retrieval.models.pair import Document
from retrieval.records import Dataset, Query
from retrieval.runtime import Runtime
from retrieval.search.dense import DenseIndex
from retrieval.search.embedding import CorpusVectors, embed_queries
from retrieval.training.batches import draw_training_queries
from retrieval.training.negative_mining import gold_scores, mine_hard_negatives

VALIDATION_CANDIDATES = 10
"""Best wrong articles of a validation query, whose reranking chooses the epoch."""


@dataclass(frozen=True)
class HardNegatives:
    """Mined articles.

    Attributes:
        cids: Negative article ids by query id, hardest first; validation queries have their best wrong articles.
        passage_rows: For each query id, the passage (its row in the corpus) that stands for each of its negatives and
            golds: the one nearest to the query.
    """

    cids: Mapping[str, tuple[str, ...]]
    passage_rows: Mapping[str, Mapping[str, int]]


def passage_reader(negatives: HardNegatives, dataset: Dataset, kind: TextKind) -> Callable[[str, str], Document]:
    """What the reranker reads of an article for a query, from query id and article id.

    The article's title comes before the passage, unless the query was made from titles.
    """
    hidden = {query.qid: hides_titles(query) for query in dataset.queries}

    def passage_of(qid: str, cid: str) -> Document:
        return reranker_document(dataset.corpus, negatives.passage_rows[qid][cid], not hidden[qid], kind)

    return passage_of


def mine_dataset(
    dataset: Dataset,
    encoder: BiEncoder,
    vectors: CorpusVectors,
    config: MiningConfig,
    training_queries: int,
    seed: int,
    runtime: Runtime,
) -> HardNegatives:
    """Mine negatives of training queries, and the candidates of all validation queries, from the dense ranking.

    Args:
        dataset: Split and cut; queries without golds are passed over.
        encoder: Made the vectors.
        vectors: Of the dataset's corpus.
        config: Window, margins and way of sampling for the training queries.
        training_queries: How many of them, drawn by seed; 0 takes all.
        seed: Of the draw and of the random sampling.
        runtime: Where to compute.
    """
    index = DenseIndex.of(dataset.corpus, vectors.passages, vectors.titles)
    best = MiningConfig(negatives=VALIDATION_CANDIDATES, first_rank=1, last_rank=100, sampling="top")
    cids: dict[str, tuple[str, ...]] = {}
    rows: dict[str, dict[str, int]] = {}
    for split, window in (("train", config), ("validation", best)):
        queries = [query for query in dataset.select(split) if query.cids]
        if split == "train":
            queries = draw_training_queries(queries, training_queries, seed)
        if not queries:
            continue
        encoded = embed_queries(encoder, queries, runtime)
        run = index.search([query.qid for query in queries], encoded, window.last_rank)
        mined = mine_hard_negatives(run, queries, dataset.corpus, window, seed, gold_scores(index, encoded, queries))
        cids.update(mined)
        rows.update(_nearest_passages(index, encoded, queries, mined))
    return HardNegatives(cids, rows)


def _nearest_passages(
    index: DenseIndex, vectors: NDArray[np.float32], queries: Sequence[Query], mined: Mapping[str, tuple[str, ...]]
) -> dict[str, dict[str, int]]:
    row_of = {cid: row for row, cid in enumerate(index.cids)}
    result = {}
    for query, vector in zip(queries, vectors, strict=True):
        wanted = [*query.cids, *mined[query.qid]]
        rows = np.array([[row_of[cid] for cid in wanted]], dtype=np.int32)
        best = index.best_passages(vector[None], rows)[0]
        result[query.qid] = {cid: int(row) for cid, row in zip(wanted, best, strict=True)}
    return result
