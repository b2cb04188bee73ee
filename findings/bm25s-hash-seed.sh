#!/usr/bin/env bash
# The same texts given to bm25s as lists of words make other files in each process; as bm25s.tokenize's result they make the same ones.
#
# index() numbers the words of lists in the order of a set, which Python's hash seed decides anew in each process; bm25s.tokenize numbers
# them as they come. So whoever brings a tokeniser of his own (a Vietnamese segmenter, for one) gets an index whose checksum, cache key or
# signature changes with every build, although the texts, the versions and the answers are the same. Number the words yourself:
# `index.index((ids, vocabulary))` with ids in order of appearance.
#
# Seen with bm25s 0.3.16, numpy 2.4.6 on Python 3.11 (eight processes with hash seeds 1 to 8):
#   different indexes: from bm25s.tokenize 1, from lists of words 8, from ids and a vocabulary 1
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
{ python3.11 -m venv venv && venv/bin/pip install --quiet bm25s==0.3.16 numpy==2.4.6; } || exit 2
cat > build.py <<'PY'
from hashlib import sha256
from pathlib import Path

import bm25s

TEXTS = ["hợp đồng lao động", "quyền lao động", "hợp đồng thuê nhà"]
lists = [text.split() for text in TEXTS]
vocabulary = {word: i for i, word in enumerate(dict.fromkeys(word for words in lists for word in words))}
ids = [[vocabulary[word] for word in words] for words in lists]
corpora = {"tokenized": bm25s.tokenize(TEXTS, show_progress=False), "lists": lists, "ids": (ids, vocabulary)}
for name, corpus in corpora.items():
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)
    index.save(name)
    print(sha256(b"".join(path.read_bytes() for path in sorted(Path(name).iterdir()))).hexdigest(), end=" ")
print()
PY
for seed in 1 2 3 4 5 6 7 8; do PYTHONHASHSEED=$seed venv/bin/python build.py; done > digests
venv/bin/python - <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

digests = [line.split() for line in Path("digests").read_text().splitlines()]
tokenized, lists, ids = (len(set(column)) for column in zip(*digests, strict=True))
print(f"bm25s {version('bm25s')}, numpy {version('numpy')}")
print(f"different indexes: from bm25s.tokenize {tokenized}, from lists of words {lists}, from ids and a vocabulary {ids}")
sys.exit("the behaviour changed" if (len(digests), tokenized, ids) != (8, 1, 1) or lists < 2 else 0)
PY
