#!/usr/bin/env bash
# The size of the reference alone chooses Evidently's drift test: one row more than 1,000, and small windows without drift are called drift.
#
# Up to 1,000 reference rows a column of many numbers gets the K-S test (drift where p < 0.05), above that the normed Wasserstein distance
# (drift where it is 0.1 or more). That distance of two samples of one distribution shrinks with the smaller sample, which is not looked at: 50
# or 100 current rows are mostly beyond 0.1 by chance, whatever the reference. A larger reference makes monitoring worse. Name the method
# and threshold, or cap the reference at 1,000 rows.
#
# Seen with evidently 0.7.23, numpy 2.4.6, pandas 3.0.6 on Python 3.11 (20 draws each, reference and current from one normal distribution):
#   reference 1000, current   50: K-S p_value, drift in 1 of 20
#   reference 1001, current   50: Wasserstein distance (normed), drift in 19 of 20
#   reference 5000, current   50: Wasserstein distance (normed), drift in 19 of 20
#   reference 1001, current 1000: Wasserstein distance (normed), drift in 1 of 20
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
{ python3.11 -m venv venv && venv/bin/pip install --quiet evidently==0.7.23 numpy==2.4.6 pandas==3.0.6; } || exit 2
DO_NOT_TRACK=1 venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from evidently import Report
from evidently.metrics import DriftedColumnsCount, ValueDrift

numbers = np.random.default_rng(7)


def drawn(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"score": numbers.normal(size=rows)})


def flagged(reference: int, current: int) -> tuple[str, int]:
    """The method that was chosen, and in how many of 20 draws Evidently counts the column as drifted."""
    count = 0
    for _ in range(20):
        report = Report([ValueDrift(column="score"), DriftedColumnsCount()]).run(drawn(current), drawn(reference))
        drift, drifted = report.dict()["metrics"]
        count += int(drifted["value"]["count"])
    return drift["config"]["method"], count


print(*(f"{name} {version(name)}" for name in ("evidently", "numpy", "pandas")), sep=", ")
seen = {sizes: flagged(*sizes) for sizes in ((1000, 50), (1001, 50), (5000, 50), (1001, 1000))}
for (reference, current), (method, count) in seen.items():
    print(f"reference {reference}, current {current:4}: {method}, drift in {count} of 20")
methods = ["K-S" in method for method, _ in seen.values()] == [True, False, False, False]
counts = [count for _, count in seen.values()]
kept = methods and counts[0] <= 5 and min(counts[1:3]) >= 12 and counts[3] <= 3
sys.exit(0 if kept else "the behaviour changed")
PY
