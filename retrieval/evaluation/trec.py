"""Runs and judgements in TREC form, `qid Q0 cid rank score tag` and `qid 0 cid 1`, for anyone's tool to judge with.

White space ends a column, so where an id or a tag holds some it is written as in addresses: `45/2019/QH14 Điều 113`
as `45/2019/QH14%20Điều%20113`, and `%` itself as `%25`. Runs and judgements written here agree.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import EvaluationError
from retrieval.evaluation.metrics import check_run
from retrieval.folders import write_file
from retrieval.records import TrecRun

_SMALLEST = np.float32(1e-6)


def strictly_decreasing(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lower tied scores by the least that keeps every row strictly decreasing in 32 bits.

    trec_eval reads scores as 32-bit floats, sorts by them and breaks ties by article id, so equal scores would
    lose the order they were found in.

    Args:
        scores: (Q, K), not increasing along a row, finite.

    Returns:
        (Q, K) of the same order.
    """
    result = scores.astype(np.float32, copy=True)
    for column in range(1, result.shape[1]):
        above = result[:, column - 1]
        result[:, column] = np.minimum(result[:, column], above - np.spacing(np.maximum(np.abs(above), _SMALLEST)))
    return result


def escaped(word: str) -> str:
    """An id or tag as one column: white space, control characters and ``%`` become ``%XX`` of their UTF-8 bytes."""
    if word.isalnum():
        return word
    return "".join(quote(one, safe="") if _ends_a_column(one) or one == "%" else one for one in word)


def _ends_a_column(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in {"Cc", "Zl", "Zp"}


def _words(words: Sequence[str], what: str) -> list[str]:
    """Ids or tags as columns.

    Raises:
        EvaluationError: If one is empty, so that it would be no column.
    """
    if not all(words):
        raise EvaluationError(f"trec: {what} '' is empty; give it a name")
    return [escaped(word) for word in words]


def write_trec(run: TrecRun, path: Path, depth: int = 100) -> None:
    """Write a run, whole or not at all.

    Args:
        run: Ranked articles; its name is the tag. A query with no hits leaves no line.
        path: File to write; an older one is replaced.
        depth: Hits a query, at most.

    Raises:
        EvaluationError: If the run is malformed, a score is not finite, or the tag or an id is empty.
    """
    check_run(run)
    (tag,), qids = _words([run.name], "tag"), _words(run.qids, "query id")
    rows = run.rows[:, :depth]
    hit = rows >= 0
    used = np.unique(rows[hit]).tolist()
    cids = dict(zip(used, _words([run.cids[row] for row in used], "article id"), strict=True))
    scores = run.scores[:, :depth]
    if not np.isfinite(scores[hit]).all():
        raise EvaluationError(f"trec: run {run.name} holds an infinite score; write only finite ones")
    scores = strictly_decreasing(np.where(hit, scores, np.float32(0.0)))
    with write_file(path) as staging, staging.open("w", encoding="utf-8", newline="\n") as stream:
        for qid, row, row_scores in zip(qids, rows.tolist(), scores, strict=True):
            found = ((rank, index) for rank, index in enumerate(row, start=1) if index >= 0)
            stream.writelines(
                f"{qid} Q0 {cids[index]} {rank} {row_scores[rank - 1]:.9g} {tag}\n" for rank, index in found
            )


def write_qrels(qrels: Mapping[str, Collection[str]], path: Path) -> None:
    """Write judgements as `qid 0 cid 1`, whole or not at all.

    Args:
        qrels: Relevant article ids of each query id.
        path: File to write; an older one is replaced.

    Raises:
        EvaluationError: If an id is empty.
    """
    with write_file(path) as staging, staging.open("w", encoding="utf-8", newline="\n") as stream:
        for qid, word in zip(qrels, _words(list(qrels), "query id"), strict=True):
            stream.writelines(f"{word} 0 {cid} 1\n" for cid in _words(sorted(qrels[qid]), "article id"))
