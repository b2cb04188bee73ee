#!/usr/bin/env bash
# safetensors writes files that nobody but their owner can read, whatever the umask, and takes the others' right from a file it replaces.
#
# save_file makes its file with mode 0600, also where a file of another mode was. Next to
# config.json and the tokenizer with mode 0644 lie weights with 0600, so a model folder made by a build's user cannot be served by another
# one: a container's, a web server's, a colleague's. Nothing is said at the time of saving. Call chmod after saving.
#
# Seen with safetensors 0.8.0, numpy 2.4.6 on Python 3.11 (umask 0022):
#   numpy.save 0644, save_file 0600, save_file over a file of 0644 0600, written from save()'s bytes 0644
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
{ python3.11 -m venv venv && venv/bin/pip install --quiet safetensors==0.8.0 numpy==2.4.6; } || exit 2
umask 0022
venv/bin/python - <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors.numpy import save, save_file

tensors = {"weight": np.zeros(4, dtype=np.float32)}
np.save("array.npy", tensors["weight"])
save_file(tensors, "new.safetensors")
Path("replaced.safetensors").write_bytes(b"")
before = Path("replaced.safetensors").stat().st_mode & 0o777
save_file(tensors, "replaced.safetensors")
Path("bytes.safetensors").write_bytes(save(tensors))
names = ("array.npy", "new.safetensors", "replaced.safetensors", "bytes.safetensors")
modes = [f"{Path(name).stat().st_mode & 0o777:04o}" for name in names]
print(f"safetensors {version('safetensors')}, numpy {version('numpy')}")
print("numpy.save {}, save_file {}, save_file over a file of {before:04o} {}, written from save()'s bytes {}".format(*modes, before=before))
sys.exit("the behaviour changed" if (before, modes) != (0o644, ["0644", "0600", "0600", "0644"]) else 0)
PY
