#!/usr/bin/env bash
# bm25s's own tokenisation loses Vietnamese words: those spelled like English stop words, those of one letter, and decomposed text's marks.
#
# "an" in "an ninh" (security), "to" (big) and "in" (to print) are English stop words; "y" in "y tế" (health) and "ý" (opinion) are single
# letters, which the pattern \b\w\w+\b skips. `stopwords=None` mends the first kind only. A combining mark is no \w, so decomposed text
# (NFD) is cut at its marks and "động" becomes "đo" and "ng". No error and no warning: search only gets worse. Normalise to NFC, and give
# `stopwords=None, token_pattern=r"\w+"` or lists of words of your own.
#
# Seen with bm25s 0.3.16 on Python 3.11 (as called by default; with stopwords=None; with token_pattern=r"\w+" as well):
#   an ninh: ['ninh'] | ['an', 'ninh'] | ['an', 'ninh']
#   y tế: ['tế'] | ['tế'] | ['y', 'tế']
#   in ấn to: ['ấn'] | ['in', 'ấn', 'to'] | ['in', 'ấn', 'to']
#   lao động (NFD): ['lao', 'đo', 'ng'] | ['lao', 'đo', 'ng'] | ['lao', 'đo', 'ng']
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
{ python3.11 -m venv venv && venv/bin/pip install --quiet bm25s==0.3.16 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys
from importlib.metadata import version
from unicodedata import normalize

import bm25s

NAMES = ("an ninh", "y tế", "in ấn to", "lao động (NFD)")
TEXTS = {name: normalize("NFD" if "NFD" in name else "NFC", name.removesuffix(" (NFD)")) for name in NAMES}
WAYS = ({}, {"stopwords": None}, {"stopwords": None, "token_pattern": r"\w+"})


def words(text: str, way: dict[str, str | None]) -> list[str]:
    return bm25s.tokenize([text], return_ids=False, show_progress=False, **way)[0]


seen = {name: [words(text, way) for way in WAYS] for name, text in TEXTS.items()}
wanted = {
    "an ninh": [["ninh"], ["an", "ninh"], ["an", "ninh"]],
    "y tế": [["tế"], ["tế"], ["y", "tế"]],
    "in ấn to": [["ấn"], ["in", "ấn", "to"], ["in", "ấn", "to"]],
    "lao động (NFD)": [["lao", "đo", "ng"]] * 3,
}
print(f"bm25s {version('bm25s')}")
print(*(f"{name}: {' | '.join(map(str, ways))}" for name, ways in seen.items()), sep="\n")
sys.exit("the behaviour changed" if seen != wanted else 0)
PY
