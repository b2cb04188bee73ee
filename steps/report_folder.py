"""Where a step writes a report before the artifact store takes it."""

from __future__ import annotations

import shutil
from pathlib import Path

from retrieval.paths import REPORTS_IN_WORK


def report_folder(name: str) -> Path:
    """An empty folder; what an earlier run left there is removed."""
    folder = REPORTS_IN_WORK.absolute() / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
