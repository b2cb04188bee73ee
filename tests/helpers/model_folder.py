"""A folder of the shape of a model, to be sent to a store and fetched again."""

from __future__ import annotations

import json
import os
from pathlib import Path

from retrieval.folders import write_folder

PART_BYTES = 5 << 20
"""The smallest part that S3 allows, so that a small file has several."""


def made(folder: Path, parts: float = 2.5) -> Path:
    """An empty, a small and a large file of ``parts`` parts, and a folder inside with its own manifest."""
    with write_folder(folder) as staging:
        (staging / "empty").touch()
        (staging / "settings.json").write_text(json.dumps({"training_run_id": "run-1"}))
        with write_folder(staging / "tokenizer") as inner:
            (inner / "tokenizer.json").write_text("Điều 1")
        (staging / "weights.bin").write_bytes(os.urandom(int(parts * PART_BYTES)))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
