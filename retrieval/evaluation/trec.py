"""Runs in TREC form, `qid Q0 cid rank score tag`, so that anyone's tool can judge them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import EvaluationError
from retrieval.evaluation.metrics import check_run
from retrieval.folders import write_file
from retrieval.records import Run

_COLUMNS = 6
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


def _check_words(words: Sequence[str], what: str) -> None:
    for word in words:
        if not word or any(character.isspace() for character in word):
            raise EvaluationError(f"trec: {what} {word!r} is empty or holds a space; rename it to one word")


def write_trec(run: Run, path: Path, depth: int = 100) -> None:
    """Write a run, whole or not at all.

    Args:
        run: Ranked articles; its name is the tag. A query with no hits leaves no line.
        path: File to write; an older one is replaced.
        depth: Hits a query, at most.

    Raises:
        EvaluationError: If the run is malformed, a score is not finite, or the tag or an id is not one word.
    """
    check_run(run)
    _check_words([run.name], "tag")
    _check_words(run.qids, "query id")
    rows = run.rows[:, :depth]
    hit = rows >= 0
    _check_words([run.cids[row] for row in np.unique(rows[hit])], "article id")
    scores = run.scores[:, :depth]
    if not np.isfinite(scores[hit]).all():
        raise EvaluationError(f"trec: run {run.name} holds an infinite score; write only finite ones")
    scores = strictly_decreasing(np.where(hit, scores, np.float32(0.0)))
    with write_file(path) as staging, staging.open("w", encoding="utf-8", newline="\n") as stream:
        for qid, row, row_scores in zip(run.qids, rows.tolist(), scores, strict=True):
            found = ((rank, index) for rank, index in enumerate(row, start=1) if index >= 0)
            stream.writelines(
                f"{qid} Q0 {run.cids[index]} {rank} {row_scores[rank - 1]:.9g} {run.name}\n" for rank, index in found
            )


def _parse(path: Path) -> tuple[dict[str, dict[str, float]], str]:
    hits: dict[str, dict[str, float]] = {}
    tag = path.stem
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            words = line.split()
            if not words:
                continue
            if len(words) != _COLUMNS:
                raise EvaluationError(f"{path}: row {number} has {len(words)} columns; give qid Q0 cid rank score tag")
            qid, _, cid, _, score, tag = words
            if cid in hits.setdefault(qid, {}):
                raise EvaluationError(f"{path}: row {number} repeats article {cid} for query {qid}; keep one")
            try:
                hits[qid][cid] = float(score)
            except ValueError as error:
                raise EvaluationError(f"{path}: row {number}: score {score!r} is not a number; mend it") from error
    return hits, tag


def read_trec(path: Path, qids: Sequence[str] = ()) -> Run:
    """Read a run, each query's hits sorted by score; equal scores keep the file's order.

    Args:
        path: File of `qid Q0 cid rank score tag` lines.
        qids: Queries of the run, in order, so that those without a line are kept; by default the file's own.

    Raises:
        EvaluationError: If the file is missing or a row has other columns, a repeated article or no numeric score.
    """
    if not path.is_file():
        raise EvaluationError(f"{path}: no such run file; check the path")
    hits, tag = _parse(path)
    order = tuple(qids) or tuple(hits)
    cids = tuple(dict.fromkeys(cid for found in hits.values() for cid in found))
    row_of = {cid: row for row, cid in enumerate(cids)}
    depth = max((len(hits.get(qid, {})) for qid in order), default=0)
    rows = np.full((len(order), depth), -1, np.int32)
    scores = np.full((len(order), depth), -np.inf, np.float32)
    for position, qid in enumerate(order):
        ranked = sorted(hits.get(qid, {}).items(), key=lambda hit: -hit[1])
        rows[position, : len(ranked)] = [row_of[cid] for cid, _ in ranked]
        scores[position, : len(ranked)] = [score for _, score in ranked]
    run = Run(tag, order, cids, rows, scores)
    check_run(run)
    return run
