"""Stages of long work on files: one line each, and a bar of bytes where a person watches."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from retrieval.folders import MANIFEST

_logger = logging.getLogger(__name__)
Advance = Callable[[int], object]
"""Told how many bytes more are done."""


@contextmanager
def stage(what: str, folder: Path) -> Iterator[Advance]:
    """Say what is done with the files of a folder, and give a call that moves the bar.

    Args:
        what: Such as "checking models/bundles/1".
        folder: Its files' sizes are the bar's length.
    """
    size = listed_bytes(folder)
    _logger.info("%s%s", what, f" ({tqdm.format_sizeof(size, 'B', 1000)})" if size else "")
    with tqdm(total=size, unit="B", unit_scale=True, leave=False, disable=None) as bar:
        yield bar.update


def listed_bytes(folder: Path) -> int:
    """Bytes of the files that a folder's manifest lists; 0 where that cannot be read."""
    try:
        listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return sum(path.stat().st_size for name in listed if (path := folder / name).is_file())
