"""What a finished run leaves on this machine: exported reports, the kept retriever and the lines printed."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunResponse

from materializers.models import RetrieverMaterializer
from pipelines.next_command import Following
from registry.store import run_of, store_facts
from registry.versions import BI_ENCODER, CROSS_ENCODER, RETRIEVER
from retrieval.errors import ArtifactError, RetrievalError
from retrieval.evaluation.reports import Report
from retrieval.model_store import keep
from tracking.runs import git_commit

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What is printed when a pipeline has ended.

    Attributes:
        lines: The result.
        following: Pipelines and other commands to run next.
        code: Exit code.
    """

    lines: Sequence[str]
    following: Sequence[Following | str] = ()
    code: int = 0


def finished(response: PipelineRunResponse | None) -> PipelineRunResponse:
    """A run that has ended well.

    Raises:
        RetrievalError: If the stack runs it elsewhere and it has not ended yet, or it failed.
    """
    if response is None:
        raise RetrievalError("the stack only scheduled the run; look at it with `zenml pipeline runs list`")
    current = Client().get_pipeline_run(response.id)
    if current.status not in {ExecutionStatus.COMPLETED, ExecutionStatus.CACHED}:
        raise RetrievalError(
            f"run {current.name} is {current.status.value}; look at it with `zenml pipeline runs list`"
        )
    return current


def load_output(response: PipelineRunResponse, step: str, name: str) -> Any:  # noqa: ANN401 - any artifact
    """An output of a step of the run."""
    return response.steps[step].outputs[name][0].load()


def export_report(report: Report, folder: Path) -> Path:
    """Copy a report out of the artifact store; other files of the folder are left alone. Gives the page's path.

    Raises:
        ArtifactError: If the folder cannot be written, a full disk for example; the artifact store still has it.
    """
    try:
        shutil.copytree(report.folder, folder, dirs_exist_ok=True)
    except OSError as error:  # what copytree collects of many files is one of these as well
        raise ArtifactError(
            f"{folder}: the report could not be copied there ({error.strerror or error}); make room and type the same"
            " command again, which finds it in the artifact store"
        ) from error
    return folder / "report.html"


def keep_retriever(response: PipelineRunResponse, made: Mapping[str, str]) -> Path:
    """Put the run's retriever where `python -m retrieval.search` and bundles find it; one that is there already stays.

    Args:
        response: The finished training.
        made: Version by model name.
    """
    artifact = response.steps["evaluate_cross_encoder"].outputs["retriever"][0]
    folder = RetrieverMaterializer(artifact.uri, Client().active_stack.artifact_store).local_folder()
    facts = {
        "retriever": made[RETRIEVER],
        "bi_encoder": made[BI_ENCODER],
        "cross_encoder": made[CROSS_ENCODER],
        "code": git_commit(Path.cwd()),
        "run": run_of(artifact) or response.name,
        "kept": datetime.now(UTC).isoformat(),
        **store_facts(),
    }
    kept = keep(folder, made[RETRIEVER], facts=facts)
    if kept.name != made[RETRIEVER]:
        logger.info(
            "version %s of this ZenML store is kept as %s, since another retriever is called %s here;"
            " `python -m retrieval.search --list` shows them",
            made[RETRIEVER],
            kept.name,
            made[RETRIEVER],
        )
    return kept
