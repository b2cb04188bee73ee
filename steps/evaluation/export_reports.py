"""Steps: copy reports out of the artifact store to where people look for them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

from retrieval.errors import ArtifactError
from retrieval.evaluation.reports import Report
from steps.library_step import fresh_step

BI_ENCODER_FOLDER, CROSS_ENCODER_FOLDER = "bi-encoder", "cross-encoder"
"""Of a training's two reports, below the folder for reports."""


@fresh_step
def export_reports(
    bi_encoder_report: Report, cross_encoder_report: Report, folder: str
) -> Annotated[dict[str, str], "report_pages"]:
    """Copy both reports of a training.

    Args:
        bi_encoder_report: Of the first stage.
        cross_encoder_report: Of the whole.
        folder: Gets a folder for each.

    Returns:
        Each report's page, by the name of its folder.
    """
    reports = {BI_ENCODER_FOLDER: bi_encoder_report, CROSS_ENCODER_FOLDER: cross_encoder_report}
    return {name: str(copy_report(report, Path(folder) / name)) for name, report in reports.items()}


@fresh_step
def export_report(report: Report, folder: str) -> Annotated[str, "report_page"]:
    """Copy one report.

    Args:
        report: Of an evaluation.
        folder: Where to.

    Returns:
        Its page.
    """
    return str(copy_report(report, Path(folder)))


def copy_report(report: Report, folder: Path) -> Path:
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
