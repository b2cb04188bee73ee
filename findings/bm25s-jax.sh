#!/usr/bin/env bash
# Installing jax beside bm25s changes which documents it returns, and `import bm25s` then starts jax's runtime.
#
# bm25s chooses its top-k by what can be imported. With numpy equal scores come in the order of a partition, with jax the lowest index
# first; where more documents tie than k asks for, that is another set of documents. A query without a known word returns k documents
# with score 0: the first ones with jax, mostly the last ones with numpy. `retrieve(..., backend_selection="numpy")` fixes the choice;
# the runtime (which by jax's default reserves most of a GPU's memory, not shown here) is started by the import all the same.
#
# Seen with bm25s 0.3.16, numpy 2.4.6, jax 0.10.0 on Python 3.11 (500 documents, 72 of them equally good):
#   without jax: runtime started False, [283, 101, 318, 381, 437], unknown word [0, 499, 498, 497, 496]
#   with jax: runtime started True, [3, 10, 17, 24, 31], unknown word [0, 1, 2, 3, 4]
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
{ python3.11 -m venv venv && venv/bin/pip install --quiet bm25s==0.3.16 numpy==2.4.6; } || exit 2
cat > search.py <<'PY'
import json, sys

import bm25s

started = "jax" in sys.modules
if started:
    from jax._src import xla_bridge

    started = xla_bridge.backends_are_initialized()


def tokens(texts: list[str]) -> bm25s.tokenization.Tokenized:
    return bm25s.tokenize(texts, show_progress=False)


index = bm25s.BM25()
index.index(tokens([f"word{i % 7} common" for i in range(500)]), show_progress=False)
found = [index.retrieve(tokens([q]), k=5, show_progress=False)[0][0].tolist() for q in ("word3", "unknown")]
print(json.dumps([started, *found]))
PY
without=$(venv/bin/python search.py)
venv/bin/pip install --quiet jax==0.10.0 || exit 2
with=$(JAX_PLATFORMS=cpu venv/bin/python search.py)
venv/bin/python - "$without" "$with" <<'PY'
import json, sys
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("bm25s", "numpy", "jax")), sep=", ")
without, with_jax = map(json.loads, sys.argv[1:])
for name, (started, best, unknown) in (("without jax", without), ("with jax", with_jax)):
    print(f"{name}: runtime started {started}, {best}, unknown word {unknown}")
kept = not without[0] and with_jax == [True, [3, 10, 17, 24, 31], [0, 1, 2, 3, 4]]
kept = kept and without[1] != with_jax[1] and without[2] != with_jax[2]  # numpy's own order may vary with the processor
sys.exit(0 if kept else "the behaviour changed")
PY
