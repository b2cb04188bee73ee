"""Where the monitoring servers and their checkers lie: a folder that is named, the PATH, or what `make` unpacked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from retrieval.errors import ConfigError

FOLDER_VARIABLE = "MONITORING_BIN"
"""Names a folder with the programs, which goes before all others."""
UNPACKED = Path(".cache/monitoring/usr/bin")
PROMETHEUS, ALERTMANAGER, PUSHGATEWAY = "prometheus", "prometheus-alertmanager", "prometheus-pushgateway"
PROMTOOL, AMTOOL = "promtool", "amtool"
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
