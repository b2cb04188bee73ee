"""What is looked at before a pipeline starts, so that a slip of the pen costs seconds and not a training."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pipelines.launch import runs_here
from retrieval.config import Config
from retrieval.errors import ConfigError
from retrieval.runtime import choose_runtime
from retrieval.training.preflight import check_models


def models_ready(config: Config) -> None:
    """Refuse models that cannot be trained as configured; on a stack that trains elsewhere, its steps find out.

    Raises:
        RetrievalError: What the training would have met: see `retrieval.training.preflight.check_models`.
    """
    if runs_here():
        check_models(config.bi_encoder, config.cross_encoder, choose_runtime(config.precision, config.threads))


def folder_ready(key: str, folder: Path) -> None:
    """Refuse a folder for results that cannot be written.

    Args:
        key: Configuration key that names it.
        folder: Made where missing.

    Raises:
        ConfigError: If it cannot be made or nothing can be written into it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"{key}: nothing can be written into {folder} ({error.strerror or error}); name another folder with"
            f" --set {key}=FOLDER"
        ) from error
