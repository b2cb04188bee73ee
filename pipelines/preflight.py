"""What is looked at before a pipeline starts, so that a slip of the pen costs seconds and not a training."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pipelines.launch import runs_here
from retrieval.config.schema import Config
from retrieval.errors import ConfigError
from retrieval.training.preflight import check_models

_PROBE_BYTES = 1 << 20
"""What a trial writes, lest a full disk look like one that can be written."""


def models_ready(config: Config) -> None:
    """Refuse models that cannot be trained as configured; on a stack that trains elsewhere, its steps find out.

    Raises:
        RetrievalError: What the training would have met: see `retrieval.training.preflight.check_models`.
    """
    if runs_here():
        check_models(config.bi_encoder, config.cross_encoder)


def folder_ready(key: str, folder: Path) -> None:
    """Refuse a folder for results that cannot be written.

    Args:
        key: Configuration key that names it.
        folder: Made where missing.

    Raises:
        ConfigError: If it cannot be made or nothing can be written into it.
    """
    if reason := _why_closed(folder):
        raise ConfigError(
            f"{key}: nothing can be written into {folder} ({reason}); name another folder with --set {key}=FOLDER"
        )


def place_ready(folder: Path) -> None:
    """Refuse to begin where a folder that no configuration key names cannot be written.

    Raises:
        ConfigError: If it cannot be made or nothing can be written into it.
    """
    if reason := _why_closed(folder):
        way = [folder.absolute(), *folder.absolute().parents]
        file = next((path for path in way if path.is_file()), None)
        mend = "give this user the right to write there, or make it a link to a place that can be written"
        raise ConfigError(
            f"{folder.absolute()}: nothing can be written there ({reason}), where this pipeline leaves results;"
            f" {f'{file} is a file, so move it elsewhere' if file else mend}"
        )


def _why_closed(folder: Path) -> str:
    """Why nothing can be written into a folder, which is made where missing; empty where something can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as stream:
            stream.write(bytes(_PROBE_BYTES))
    except OSError as error:
        return error.strerror or str(error)
    return ""
