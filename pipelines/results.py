"""What a finished run has left on this machine, as its steps tell it, and the lines printed.

On Kubernetes a step's disk goes with its pod, so there what has to lie on this machine is put there after the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunResponse

from pipelines.next_command import Following
from registry.local.kept_versions import keep_version
from retrieval.errors import RetrievalError
from retrieval.evaluation.reports import Report
from steps.evaluation.export_reports import BI_ENCODER_FOLDER, CROSS_ENCODER_FOLDER, copy_report
from tracking.runs import git_commit

_EXPORT, _KEEP = "export_reports", "keep_retriever"
"""Steps of a training that leave results on this machine; absent where their disk is another."""


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


def exported_reports(response: PipelineRunResponse, folder: Path) -> list[str]:
    """Pages of a training's reports in a folder of this machine, copied now where its steps could not do it."""
    if _EXPORT in response.steps:
        return list(load_output(response, _EXPORT, "report_pages").values())
    made = {
        BI_ENCODER_FOLDER: load_output(response, "evaluate_bi_encoder", "bi_encoder_report"),
        CROSS_ENCODER_FOLDER: load_output(response, "evaluate_cross_encoder", "cross_encoder_report"),
    }
    return [str(copy_report(report, folder / name)) for name, report in made.items()]


def exported_report(response: PipelineRunResponse, report: Report, folder: Path) -> str:
    """Page of an evaluation's report in a folder of this machine, copied now where its steps could not do it."""
    if "export_report" in response.steps:
        return str(load_output(response, "export_report", "report_page"))
    return str(copy_report(report, folder))


def kept_retriever(response: PipelineRunResponse, made: Mapping[str, str]) -> str:
    """Folder on this machine that keeps a training's retriever, put there now where its steps could not do it.

    Args:
        response: The finished training.
        made: Version by model name.
    """
    if _KEEP in response.steps:
        return str(load_output(response, _KEEP, "kept_retriever"))
    artifact = response.steps["evaluate_cross_encoder"].outputs["retriever"][0]
    return str(keep_version(artifact, made, response.name, git_commit(Path.cwd())))
