#!/usr/bin/env bash
# Saving the same tensors with the same metadata gives files of different bytes as soon as the metadata has two keys.
#
# The header's `__metadata__` is written in the order of a hash map with a random seed, so the order changes from save to save, within
# one process too. With one key (what transformers writes: {"format": "pt"}) files are equal, which is why a checksum, a content-addressed
# store or a reproducible build goes well until somebody adds a second key. Tensors are written in a fixed order.
#
# Seen with safetensors 0.8.0, numpy 2.4.6 on Python 3.11 (60 saves each):
#   different files: no metadata 1, one key 1, three keys 6
#   equal tensors and metadata after reading: True
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
{ python3.11 -m venv venv && venv/bin/pip install --quiet safetensors==0.8.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import json, sys
from importlib.metadata import version

import numpy as np
from safetensors.numpy import load, save

tensors = {name: np.arange(4, dtype=np.float32) for name in "abcde"}
keys = {"format": "pt", "base": "an encoder", "pooling": "mean"}


def files(metadata: dict[str, str] | None) -> set[bytes]:
    return {save(tensors, metadata=metadata) for _ in range(60)}


def header(file: bytes) -> dict[str, str]:
    return json.loads(file[8 : 8 + int.from_bytes(file[:8], "little")])["__metadata__"]


none, one, three = files(None), files({"format": "pt"}), files(keys)
equal = all(header(f) == keys and all(np.array_equal(load(f)[n], t) for n, t in tensors.items()) for f in three)
print(f"safetensors {version('safetensors')}, numpy {version('numpy')}")
print(f"different files: no metadata {len(none)}, one key {len(one)}, three keys {len(three)}")
print(f"equal tensors and metadata after reading: {equal}")
sys.exit("the behaviour changed" if (len(none), len(one), equal) != (1, 1, True) or len(three) < 2 else 0)
PY
