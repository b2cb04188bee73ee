"""Reads runs in TREC form back, to compare them with what was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from retrieval.errors import EvaluationError
from retrieval.evaluation.metrics import check_run
from retrieval.records import TrecRun

_COLUMNS = 6


def unescaped(word: str) -> str:
    """The id or tag of a column; one of another tool that is not escaped like this stays as it is."""
    try:
        return unquote(word, errors="strict") if "%" in word else word
    except UnicodeDecodeError:
        return word


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
            qid, _, cid, _, score, tag = map(unescaped, words)
            if cid in hits.setdefault(qid, {}):
                raise EvaluationError(f"{path}: row {number} repeats article {cid} for query {qid}; keep one")
            try:
                hits[qid][cid] = float(score)
            except ValueError as error:
                raise EvaluationError(f"{path}: row {number}: score {score!r} is not a number; mend it") from error
    return hits, tag


def read_trec(path: Path, qids: Sequence[str] = ()) -> TrecRun:
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
    run = TrecRun(tag, order, cids, rows, scores)
    check_run(run)
    return run
