#!/usr/bin/env bash
# With `--dist loadgroup` or `loadfile` pytest-xdist runs the largest group first: one worker is enough for another order of tests.
#
# Groups are sorted by their number of tests, and in `loadgroup` every test without a group is a group of its own, so all marked tests come
# before all others, also those that stand above them in the same file. Tests that lean on the order of a file (a first one that fills a
# cache, a slow one put last on purpose) then pass alone, pass with -n 0 and fail with -n. `--no-loadscope-reorder` keeps the order; its
# name and its help speak of loadscope only.
#
# Seen with pytest 9.0.1, pytest-xdist 3.8.0 on Python 3.11 (a_test.py: first, second; b_test.py: third and, in one group, fourth to sixth):
#   -n 0: first second third fourth fifth sixth
#   -n 1 --dist loadgroup: fourth fifth sixth first second third
#   -n 1 --dist loadfile: third fourth fifth sixth first second
#   -n 1 --dist loadgroup --no-loadscope-reorder: first second third fourth fifth sixth
#   -n 1 --dist loadfile --no-loadscope-reorder: first second third fourth fifth sixth
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
{ python3.11 -m venv venv && venv/bin/pip install --quiet pytest==9.0.1 pytest-xdist==3.8.0; } || exit 2
cat > conftest.py <<'PY'
def pytest_runtest_call(item):
    with open("order", "a") as file:
        file.write(item.name.removeprefix("test_") + " ")
PY
printf 'def test_%s():\n    pass\n' first second > a_test.py
{ echo 'import pytest'; printf 'def test_third():\n    pass\n'; printf '@pytest.mark.xdist_group("slow")\ndef test_%s():\n    pass\n' fourth fifth sixth; } > b_test.py
venv/bin/python - <<'PY'
import subprocess, sys
from importlib.metadata import version
from pathlib import Path

given = "first second third fourth fifth sixth"
wanted = {
    "-n 0": given,
    "-n 1 --dist loadgroup": "fourth fifth sixth first second third",
    "-n 1 --dist loadfile": "third fourth fifth sixth first second",
    "-n 1 --dist loadgroup --no-loadscope-reorder": given,
    "-n 1 --dist loadfile --no-loadscope-reorder": given,
}
seen = {}
for options in wanted:
    Path("order").write_text("")
    subprocess.run([sys.executable, "-m", "pytest", "-q", *options.split()], check=True, capture_output=True)
    seen[options] = Path("order").read_text().strip()
print(f"pytest {version('pytest')}, pytest-xdist {version('pytest-xdist')}")
print(*(f"{options}: {order}" for options, order in seen.items()), sep="\n")
sys.exit("the behaviour changed" if seen != wanted else 0)
PY
