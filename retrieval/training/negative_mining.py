"""Hard negatives: articles that a first stage ranks high although they do not answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.config.schema import MiningConfig
from retrieval.data.cleaning import text_key
from retrieval.records import Corpus, Query, TrecRun
from retrieval.search.dense import DenseIndex


def gold_scores(index: DenseIndex, vectors: NDArray[np.float32], queries: Sequence[Query]) -> NDArray[np.float32]:
    """(Q,) best dense score among each query's gold articles."""
    row_of = {cid: row for row, cid in enumerate(index.cids)}
    result = np.empty(len(queries), dtype=np.float32)
    for start in range(0, len(queries), 256):
        block = index.scores(vectors[start : start + 256])
        for offset, scores in enumerate(block):
            rows = [row_of[cid] for cid in queries[start + offset].cids]
            result[start + offset] = scores[rows].max()
    return result


def _allowed(scores: NDArray[np.float32], gold_score: float | None, config: MiningConfig) -> NDArray[np.bool_]:
    keep = np.ones(len(scores), dtype=bool)
    if config.max_score is not None:
        keep &= scores <= config.max_score
    if gold_score is not None:
        if config.absolute_margin > 0:
            keep &= scores <= gold_score - config.absolute_margin
        if config.relative_margin > 0:
            keep &= scores <= gold_score * (1.0 - config.relative_margin)
    return keep


def mine_hard_negatives(
    run: TrecRun,
    queries: Sequence[Query],
    corpus: Corpus,
    config: MiningConfig,
    seed: int,
    golds: NDArray[np.float32] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Negatives of each query out of a window of ranks.

    Never a gold article, nor one with the same text as a gold or as another negative of the query.

    Args:
        run: Ranking of the queries, at least ``config.last_rank`` deep.
        queries: (Q,) the run's queries, in its order, with their golds.
        corpus: Where the articles come from.
        config: Window, margins and way of sampling.
        seed: Of the random sampling.
        golds: (Q,) score of each query's best gold on the run's scale; None turns the margins off.

    Returns:
        Up to ``config.negatives`` article ids by query id, hardest first; fewer where the window has no more.
    """
    keys = [text_key(article.body) for article in corpus.articles]
    random = np.random.default_rng(seed)
    mined: dict[str, tuple[str, ...]] = {}
    for position, query in enumerate(queries):
        window = slice(config.first_rank - 1, config.last_rank)
        rows, scores = run.rows[position, window], run.scores[position, window]
        keep = _allowed(scores, None if golds is None else float(golds[position]), config) & (rows >= 0)
        seen = {keys[corpus.row_of[cid]] for cid in query.cids}
        candidates: list[int] = []
        for row in rows[keep]:
            if keys[row] not in seen:
                seen.add(keys[row])
                candidates.append(int(row))
        if config.sampling == "random" and len(candidates) > config.negatives:
            chosen = np.sort(random.choice(len(candidates), config.negatives, replace=False))
            candidates = [candidates[index] for index in chosen]
        mined[query.qid] = tuple(corpus.cids[row] for row in candidates[: config.negatives])
    return mined
