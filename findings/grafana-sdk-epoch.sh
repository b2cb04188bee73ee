#!/usr/bin/env bash
# `pip install 'grafana-foundation-sdk>=11'` installs the types of Grafana 10.1.
#
# Each release carries its build's time as a version epoch ("1769699998!10.1.0"), and an epoch outweighs everything behind the "!". Releases
# for several Grafanas are built one after another, so "newest" is the one built last, and every bound without an epoch (>=11, ~=12.2) is
# met by all of them or by none. Pin the whole version: "==1769699379!11.6.0".
#
# Seen with pip's resolver on Python 3.11, package index of November 2026:
#   asked for >=11: 1769699998!10.1.0
#   asked for ==11.6.0: nothing found
#   asked for ==1769699379!11.6.0: 1769699379!11.6.0
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
{ python3.11 -m venv venv && venv/bin/pip install --quiet packaging==25.0; } || exit 2
resolved() {
  venv/bin/pip install --quiet --target "$2" --no-deps "grafana-foundation-sdk$1" 2> "log$2" || { grep -q 'No matching distribution' "log$2" && echo 'nothing found' && return; exit 2; }
  venv/bin/python -c 'import sys; from importlib.metadata import distributions; print(*(d.version for d in distributions(path=sys.argv[1:])))' "$2"
}
venv/bin/pip --version | cut -d' ' -f1,2
open=$(resolved '>=11' a)
bare=$(resolved '==11.6.0' b)
whole=$(resolved '==1769699379!11.6.0' c)
printf 'asked for %s: %s\n' '>=11' "$open" '==11.6.0' "$bare" '==1769699379!11.6.0' "$whole"
venv/bin/python - "$open" "$bare" "$whole" <<'PY'
import sys

from packaging.version import Version

found, bare, whole = sys.argv[1:]
kept = Version(found).release < (11,) and bare == "nothing found" and whole == "1769699379!11.6.0"
sys.exit(0 if kept else "the behaviour changed")
PY
