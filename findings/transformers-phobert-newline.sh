#!/usr/bin/env bash
# For PhobertTokenizer the last word of a line is another word than the same one within the line.
#
# It splits with `\S+\n?`, so a newline directly behind a word belongs to the word; no merge knows it, the word falls into pieces, the
# last of them an unknown "\n". A statute is all lines ("Điều 1. ...\n1. ...\n"), so each line's last word is lost, and nothing says so.
# A blank before the newline prevents it, as do spaces for newlines. A carriage return counts as white space, so the same text with CRLF
# lines gives the right ids.
#
# Seen with transformers 5.23.0 on Python 3.11 (a vocabulary of the two words):
#   'luật đất': ['luật', 'đất']
#   'luật\nđất': ['luậ@@', 't@@', '\n', 'đất'], of which 3 unknown
#   'luật \n đất': ['luật', 'đất']
#   'luật\r\nđất': ['luật', 'đất']
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
{ python3.11 -m venv venv && venv/bin/pip install --quiet transformers==5.23.0; } || exit 2
HF_HUB_OFFLINE=1 HF_HOME="$tmp/hub" venv/bin/python - <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

from transformers import PhobertTokenizer

Path("vocab.txt").write_text("luật 1\nđất 1\n", encoding="utf-8")
Path("bpe.codes").write_text("l u 1\nlu ậ 1\nluậ t</w> 1\nđ ấ 1\nđấ t</w> 1\n", encoding="utf-8")
tokenizer = PhobertTokenizer("vocab.txt", "bpe.codes")
print(f"transformers {version('transformers')}")
unknown = {}
for text in ("luật đất", "luật\nđất", "luật \n đất", "luật\r\nđất"):
    unknown[text] = tokenizer(text)["input_ids"].count(tokenizer.unk_token_id)
    print(f"{text!r}: {tokenizer.tokenize(text)}" + (f", of which {unknown[text]} unknown" if unknown[text] else ""))
sys.exit("the behaviour changed" if list(unknown.values()) != [0, 3, 0, 0] else 0)
PY
