"""Step: put the retriever where searches and bundles find it on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from zenml import get_step_context
from zenml.artifacts.unmaterialized_artifact import UnmaterializedArtifact

from registry.local.kept_versions import keep_version
from steps.library_step import fresh_step


@fresh_step
def keep_retriever(
    retriever: UnmaterializedArtifact, versions: dict[str, str], folder: str, code: str
) -> Annotated[str, "kept_retriever"]:
    """Keep it under its version; what is there already stays, and what was deleted is put there again.

    Args:
        retriever: Both stages with their index.
        versions: Version by model name, as registered.
        folder: Where retrievers are kept.
        code: Commit of the code that trained it; empty where it is not known.

    Returns:
        The kept folder.
    """
    run = get_step_context().pipeline_run.name
    return str(keep_version(retriever, versions, run, code, Path(folder)))
