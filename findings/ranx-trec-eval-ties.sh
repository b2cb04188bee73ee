#!/usr/bin/env bash
# Where scores are equal, ranx and trec_eval rank differently, and neither keeps the order that the run was given in.
#
# trec_eval ignores a run's rank column and sorts equal scores by document id, descending and as text ("9" before "8" before "10"). ranx
# keeps a short run's order, but its sort is not stable: of 40 equal documents the first given comes out 21st. So two correct tools
# report another MRR for the same file, and a system whose scores are rounded or saturated gets a figure that its ids or its sort chose.
# Give scores without ties before comparing figures (for example minus the rank).
#
# Seen with ranx 0.3.21, pytrec_eval-terrier 0.5.11, numpy 2.4.6, numba 0.68.1 on Python 3.11 (run: 10, 9, 8, all with score 1.0):
#   rank of the relevant document: 10: trec_eval 3, ranx 1; 9: trec_eval 1, ranx 2; 8: trec_eval 2, ranx 3
#   40 equal scores, the relevant one given first: ranx ranks it 21
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
{ python3.11 -m venv venv && venv/bin/pip install --quiet ranx==0.3.21 pytrec_eval-terrier==0.5.11 numpy==2.4.6 numba==0.68.1; } || exit 2
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import pytrec_eval
from ranx import Qrels, Run, evaluate


def trec_eval_rank(relevant: str, run: dict[str, float]) -> int:
    measured = pytrec_eval.RelevanceEvaluator({"q": {relevant: 1}}, {"recip_rank"}).evaluate({"q": run})
    return round(1 / measured["q"]["recip_rank"])


def ranx_rank(relevant: str, run: dict[str, float]) -> int:
    return round(1 / evaluate(Qrels({"q": {relevant: 1}}), Run({"q": run}), "mrr"))


short = {"10": 1.0, "9": 1.0, "8": 1.0}
ranks = {document: (trec_eval_rank(document, short), ranx_rank(document, short)) for document in short}
long = ranx_rank("d0", {f"d{i}": 1.0 for i in range(40)})
print(*(f"{name} {version(name)}" for name in ("ranx", "pytrec_eval-terrier", "numpy", "numba")), sep=", ")
print("rank of the relevant document:", "; ".join(f"{d}: trec_eval {t}, ranx {r}" for d, (t, r) in ranks.items()))
print(f"40 equal scores, the relevant one given first: ranx ranks it {long}")
changed = ranks != {"10": (3, 1), "9": (1, 2), "8": (2, 3)} or long == 1
sys.exit("the behaviour changed" if changed else 0)
PY
