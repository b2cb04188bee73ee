"""A version's retriever brought from the artifact store to where searches and bundles find it on this machine."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from zenml.models import ArtifactVersionResponse

from materializers.models import RetrieverMaterializer
from registry.local.stages import note_stages
from registry.mlflow_mirror import store_of
from registry.store import run_of, store_facts
from registry.versions import (
    BI_ENCODER,
    CROSS_ENCODER,
    MAIN,
    RETRIEVER,
    artifact_of,
    find_version,
    parts_of,
)
from retrieval.model_store import KEPT, keep

logger = logging.getLogger(__name__)


def keep_version(
    artifact: ArtifactVersionResponse,
    made: Mapping[str, str],
    run: str,
    code: str,
    root: Path = KEPT,
    newest: bool = True,
) -> Path:
    """Keep a retriever under its version and note the stages; one that is there already stays.

    Args:
        artifact: The retriever in the artifact store.
        made: Version by model name.
        run: Name of the run that trained it, for where ZenML no longer knows.
        code: Commit it was trained with; empty where it is not known.
        root: Where retrievers are kept.
        newest: Whether it is what the last training gave.

    Returns:
        The kept folder.

    Raises:
        ArtifactError: If the artifact is damaged, or nothing can be written below ``root``.
    """
    folder = RetrieverMaterializer(artifact.uri, store_of(artifact)).local_folder()
    facts = {
        "retriever": made[RETRIEVER],
        "bi_encoder": made.get(BI_ENCODER, ""),
        "cross_encoder": made.get(CROSS_ENCODER, ""),
        "code": code,
        "created": _utc(artifact.created),
        "run": run_of(artifact) or run,
        "kept": datetime.now(UTC).isoformat(),
        **store_facts(),
    }
    kept = keep(folder, made[RETRIEVER], root, facts, newest)
    note_stages(root)
    if kept.name != made[RETRIEVER]:
        logger.info(
            "version %s of this ZenML store is kept as %s, since another retriever is called %s here;"
            " `python -m retrieval.search --list` shows them",
            made[RETRIEVER],
            kept.name,
            made[RETRIEVER],
        )
    return kept


def _utc(moment: datetime) -> str:
    """ZenML's times are in UTC without saying so."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat(timespec="seconds")


def fetch_version(name: str, root: Path = KEPT) -> Path:
    """Keep a version that was trained elsewhere; which one is the newest here stays as it is.

    Args:
        name: As `find_version` takes it.
        root: Where retrievers are kept.

    Raises:
        ConfigError: If there is no such version.
    """
    version = find_version(name)
    made = {RETRIEVER: str(version.name), **parts_of(version)}
    return keep_version(artifact_of(version, MAIN[RETRIEVER]), made, "", "", root, newest=False)
