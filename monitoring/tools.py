"""Where the monitoring servers and their checkers lie: a folder that is named, the PATH, or what `make` unpacked."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from retrieval.errors import ConfigError
from retrieval.paths import MONITORING_TOOLS

FOLDER_VARIABLE = "MONITORING_BIN"
"""Names a folder with the programs, which goes before all others."""
UNPACKED = MONITORING_TOOLS
PROMETHEUS, ALERTMANAGER, PUSHGATEWAY = "prometheus", "prometheus-alertmanager", "prometheus-pushgateway"
PROMTOOL, AMTOOL = "promtool", "amtool"
_SHARE = Path("/usr/share/prometheus")
"""Where Debian's programs look for their pages and templates; without those Alertmanager does not even start."""
_MOUNTED = (
    'here=$PWD; cd "$0" && mount -t overlay overlay -o lowerdir=.:/usr/share /usr/share && cd "$here"'
    ' && exec setpriv --pdeathsig TERM -- "$@"'
)
"""Lays a folder over /usr/share for one process; the signal that a supervisor asked for is lost on the way there."""
_UPSTREAM = {ALERTMANAGER: "alertmanager", PUSHGATEWAY: "pushgateway"}
"""Names of the same programs in the archives of the Prometheus project."""


def find_tool(name: str, folder: Path | None = None) -> Path | None:
    """The program, or None where it is not here.

    Args:
        name: One of this module's constants.
        folder: Looked at first; default that of ``MONITORING_BIN``.
    """
    named = folder or (Path(os.environ[FOLDER_VARIABLE]) if os.environ.get(FOLDER_VARIABLE) else None)
    names = [name, *([_UPSTREAM[name]] if name in _UPSTREAM else [])]
    for place in ([str(named)] if named else []) + [None, str(UNPACKED.absolute())]:
        for candidate in names:
            if found := shutil.which(candidate, path=place):
                return Path(found)
    return None


def tool(name: str, folder: Path | None = None) -> Path:
    """The program.

    Raises:
        ConfigError: If it is not here.
    """
    found = find_tool(name, folder)
    if found is None:
        raise ConfigError(
            f"{name}: not found in {FOLDER_VARIABLE}, the PATH or {UNPACKED}; run `make monitoring-tools`, install"
            f" Debian's package {name}, or set {FOLDER_VARIABLE} to the folder that holds it"
        )
    return found


def command_of(name: str, folder: Path | None = None) -> list[str]:
    """How to start the program.

    One that was unpacked and not installed gets a mount namespace of its own, where it finds what it looks for in
    /usr/share; where the system allows none, it is started as it is.

    Args:
        name: One of this module's constants.
        folder: Looked at first; default that of ``MONITORING_BIN``.

    Raises:
        ConfigError: If it is not here.
    """
    program = tool(name, folder).absolute()
    share = program.parents[1] / "share"
    if _SHARE.exists() or not (share / _SHARE.name).is_dir():
        return [str(program)]
    laid = ["unshare", "--map-root-user", "--mount", "--", "sh", "-c", _MOUNTED, str(share)]
    return [*laid, str(program)] if _works((*laid, "true")) else [str(program)]


@cache
def _works(command: tuple[str, ...]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
