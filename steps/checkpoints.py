"""Where an interrupted training goes on: a folder for each configuration, dropped once the step is through."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from retrieval.paths import CHECKPOINTS
from steps.library_step import CODE_VARIABLE

FOLDER_VARIABLE = "LEGAL_RETRIEVAL_CHECKPOINTS"
"""Names another folder: one that outlives the container or the frozen copy of the code that a step runs in."""


@contextmanager
def checkpoint_folder(model: str, config: BaseModel, *facts: str | int) -> Iterator[Path]:
    """Give the folder of one training; a step that ends well removes it, an interrupted one leaves it for its rerun.

    Args:
        model: Begins the folder's name.
        config: Decides the outcome.
        facts: Whatever else decides it: seed, data version, precision.
    """
    code = os.environ.get(CODE_VARIABLE, "")
    key = hashlib.sha256(json.dumps([config.model_dump(mode="json"), facts, code]).encode()).hexdigest()[:16]
    folder = Path(os.environ.get(FOLDER_VARIABLE) or CHECKPOINTS).absolute() / f"{model}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
