"""Retrievers that were kept before stores were told apart: those of the store in use are found by their files."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from zenml.models import ArtifactVersionResponse

from materializers.folder import CONTENT
from registry.mlflow_mirror import store_of
from registry.store import run_of
from registry.versions import MAIN, RETRIEVER, versions
from retrieval.errors import RetrievalError
from retrieval.folders import listed_files
from retrieval.model_store.folders import KeptRetriever, adopt, identifying_files
from retrieval.s3.folders import read_manifest
from stacks.connection import s3_of

_logger = logging.getLogger(__name__)


def adopt_unknown_stores(unknown: Iterable[KeptRetriever], facts: Mapping[str, str]) -> None:
    """Note the store with each retriever whose version there has the same files.

    Args:
        unknown: Kept without a store.
        facts: As in `store_facts`.
    """
    own = {version.name: version.get_artifact(MAIN[RETRIEVER]) for version in versions()}
    for one in unknown:
        artifact = own.get(one.version)
        try:
            if artifact and identifying_files(_listed(artifact)) == identifying_files(listed_files(one.folder)):
                adopt(one, {**facts, "run": run_of(artifact)})
        except (RetrievalError, OSError) as error:  # it stays as it is, of a store that is not known
            _logger.info("%s: its store cannot be told (%s)", one.folder, error)


def _listed(artifact: ArtifactVersionResponse) -> dict[str, str]:
    """What the manifest of a retriever in the artifact store lists; nothing where only ZenML itself could read it."""
    if "://" not in artifact.uri:
        return listed_files(Path(artifact.uri) / CONTENT)
    s3 = s3_of(store_of(artifact)) if artifact.uri.startswith("s3://") else None
    return read_manifest(s3, f"{artifact.uri}/{CONTENT}")[1] if s3 is not None else {}
