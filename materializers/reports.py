"""Keeps what people read: evaluation reports, the data report, training curves and decisions."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from zenml.enums import ArtifactType
from zenml.metadata.metadata_types import MetadataType

from materializers.folder import FolderMaterializer
from materializers.page import page, table
from retrieval.data.validation import ValidationReport
from retrieval.evaluation.metrics import evaluation_of
from retrieval.evaluation.plots import loss_curve
from retrieval.evaluation.reports import Report
from retrieval.folders import verify_folder, write_folder
from retrieval.records import Decision
from retrieval.training.checkpoints import EpochResult
from retrieval.training.loop import TrainingReport


class ReportMaterializer(FolderMaterializer):
    """Report <-> the folder it was written in, with its per-query values."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Report,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA_ANALYSIS

    def write(self, data: Report, folder: Path) -> None:
        """Copy the report's files and add the values of every query."""
        values = {
            f"{name}/{metric}": one for name, e in data.evaluations.items() for metric, one in e.per_query.items()
        }
        facts = {"title": data.title, "qids": {name: one.qids for name, one in data.evaluations.items()}}
        with write_folder(folder) as staging:
            shutil.copytree(data.folder, staging / "files", ignore=shutil.ignore_patterns(".*"))
            np.savez_compressed(staging / "per_query.npz", **values)  # type: ignore[arg-type]  # names of metrics, never numpy's own option
            (staging / "report.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")

    def read(self, folder: Path) -> Report:
        """The report, its folder being the one in the store."""
        verify_folder(folder)
        facts = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        with np.load(folder / "per_query.npz", allow_pickle=False) as arrays:
            values = {name: arrays[name] for name in arrays.files}
        evaluations = {
            name: evaluation_of(
                name, qids, {key.partition("/")[2]: one for key, one in values.items() if key.partition("/")[0] == name}
            )
            for name, qids in facts["qids"].items()
        }
        files = folder / "files"
        metrics = json.loads((files / "metrics.json").read_text(encoding="utf-8"))
        return Report(files, facts["title"], evaluations, metrics, (files / "report.html").read_text(encoding="utf-8"))

    def describe(self, data: Report) -> dict[str, MetadataType]:
        """MRR@10 and recall of each run."""
        return {
            f"{name}_{metric.replace('@', '_at_')}": round(one.mean[metric], 4)
            for name, one in data.evaluations.items()
            for metric in ("mrr@10", "recall@100")
            if metric in one.mean
        }

    def picture(self, data: Report) -> str:
        """The report's own page."""
        return data.html


class _JsonMaterializer(FolderMaterializer):
    """A frozen dataclass of plain values as one JSON file."""

    SKIP_REGISTRATION: ClassVar[bool] = True
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA_ANALYSIS
    KIND: ClassVar[type[Any]]

    def write(self, data: Any, folder: Path) -> None:  # noqa: ANN401
        """Write one JSON file."""
        with write_folder(folder) as staging:
            text = json.dumps(asdict(data), ensure_ascii=False, indent=1)
            (staging / "value.json").write_text(text, encoding="utf-8")

    def read(self, folder: Path) -> Any:  # noqa: ANN401
        """Read one JSON file."""
        verify_folder(folder)
        values = json.loads((folder / "value.json").read_text(encoding="utf-8"))
        frozen = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return self.KIND(**frozen)


class ValidationReportMaterializer(_JsonMaterializer):
    """ValidationReport <-> JSON."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (ValidationReport,)
    KIND = ValidationReport

    def read(self, folder: Path) -> ValidationReport:
        """Read it with percentiles as numbers again."""
        report: ValidationReport = super().read(folder)
        names = ("article_syllables", "query_syllables", "passages_per_article")
        numbered = {name: {int(key): value for key, value in getattr(report, name).items()} for name in names}
        return replace(report, **numbered)  # type: ignore[arg-type]

    def describe(self, data: ValidationReport) -> dict[str, MetadataType]:
        """Its plain values."""
        return {name: value for name, value in asdict(data).items() if isinstance(value, int | float | str)}

    def picture(self, data: ValidationReport) -> str:
        """Everything it counted."""
        return page("Validation", asdict(data))


class TrainingReportMaterializer(_JsonMaterializer):
    """TrainingReport <-> JSON."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (TrainingReport,)
    KIND = TrainingReport

    def hash_content(self, data: TrainingReport, folder: Path) -> str:
        """Hash of the outcome, however long it took."""
        facts = [data.losses, [(epoch.loss, epoch.score) for epoch in data.history], data.best_epoch, data.steps]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def read(self, folder: Path) -> TrainingReport:
        """Read it with its epochs as records."""
        report: TrainingReport = super().read(folder)
        return replace(report, history=tuple(EpochResult(**dict(epoch)) for epoch in report.history))  # type: ignore[call-overload]

    def describe(self, data: TrainingReport) -> dict[str, MetadataType]:
        """How it ended."""
        facts: dict[str, MetadataType] = {"steps": data.steps, "seconds": round(data.seconds, 1)}
        if math.isfinite(data.best_score):
            facts |= {"best_epoch": data.best_epoch, "best_validation_mrr_at_10": round(data.best_score, 4)}
        if data.losses:
            facts["final_loss"] = round(data.losses[-1], 4)
        return facts

    def picture(self, data: TrainingReport) -> str:
        """Loss curve and epochs."""
        rows = [(e.epoch, f"{e.loss:.4f}", f"{e.score:.4f}", f"{e.seconds:.0f}") for e in data.history]
        epochs = table(rows, ("epoch", "mean loss", "validation MRR@10", "seconds"))
        return page("Training", self.describe(data), [loss_curve({"loss": data.losses})], [epochs])


class DecisionMaterializer(_JsonMaterializer):
    """Decision <-> JSON."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Decision,)
    KIND = Decision

    def describe(self, data: Decision) -> dict[str, MetadataType]:
        """Verdict, reasons and values."""
        values: dict[str, MetadataType] = dict(data.values)
        return {"subject": data.subject, "passed": data.passed, "reasons": "; ".join(data.reasons), **values}

    def picture(self, data: Decision) -> str:
        """Verdict with one reason a line."""
        verdict = "passed" if data.passed else "refused"
        facts = {"verdict": verdict, **data.values}
        return page(f"{data.subject}: {verdict}", facts, tables=[table([(reason,) for reason in data.reasons])])
