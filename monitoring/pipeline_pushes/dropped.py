"""How many pushes of each pipeline were dropped: a small file beside the runs, so that the next push can tell."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

_LOCK_SECONDS = 2.0


def dropped_so_far(folder: Path | None, pipeline: str) -> int:
    """The count; 0 where nothing was dropped, or the file cannot be read.

    Args:
        folder: Of the counts; None where a run has no disk that outlives it.
        pipeline: Whose pushes.
    """
    if folder is None:
        return 0
    try:
        return max(0, int(_file(folder, pipeline).read_text(encoding="ascii")))
    except (OSError, ValueError):
        return 0


def count_dropped(folder: Path | None, pipeline: str) -> int:
    """Count one more.

    Args:
        folder: Of the counts, made where missing; None counts nothing.
        pipeline: Whose push it was.

    Returns:
        The count; it is lost if nothing can be written, because a run must not fail for it.
    """
    if folder is None:
        return 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{pipeline}.lock", timeout=_LOCK_SECONDS):
            count = dropped_so_far(folder, pipeline) + 1
            new = _file(folder, pipeline).with_suffix(".new")
            new.write_text(f"{count}\n", encoding="ascii")
            new.replace(_file(folder, pipeline))
    except (OSError, Timeout):
        return dropped_so_far(folder, pipeline) + 1
    return count


def _file(folder: Path, pipeline: str) -> Path:
    return folder / f"{pipeline}.dropped"
