#!/usr/bin/env bash
# PyVi's remove_accents returns bytes and drops what is not ASCII afterwards; its add_accents changes the case of letters.
#
# ViUtils.remove_accents ends in `.encode("ascii", "ignore")`: a key made from it never equals a string, and quotation marks, dashes, đồng
# signs and letters of other scripts are gone without a word. ViUtils.add_accents writes lower-case words with capitals, and capitals as
# lower case, so what it gives is to be lower-cased before it is compared or tokenised by a cased model.
#
# Seen with pyvi 0.1.1 on Python 3.11:
#   remove_accents: 'Điều lệ' b'Dieu le'; '“Điều” – 5₫' b'Dieu  5'
#   add_accents: 'hop dong lao dong' 'HỐP đóng lao đóng'; 'HOP DONG' 'Hốp đóng'
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
{ python3.11 -m venv venv && venv/bin/pip install --quiet pyvi==0.1.1; } || exit 2
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

from pyvi import ViUtils

removed = {text: ViUtils.remove_accents(text) for text in ("Điều lệ", "“Điều” – 5₫")}
added = {text: ViUtils.add_accents(text) for text in ("hop dong lao dong", "HOP DONG")}
print(f"pyvi {version('pyvi')}")
for name, seen in (("remove_accents", removed), ("add_accents", added)):
    print(f"{name}:", "; ".join(f"{text!r} {result!r}" for text, result in seen.items()))
lower, upper = added.values()
kept = [*removed.values()] == [b"Dieu le", b"Dieu  5"] and not lower.islower() and not upper.isupper()
sys.exit(0 if kept else "the behaviour changed")
PY
