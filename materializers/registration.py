"""Every materializer of the project, in one list, and the one call that makes ZenML use them.

ZenML chooses the materializer of an output by its type when it compiles a step, and falls back to pickle for a type it
does not know. `steps.library_step` makes the call, so whatever imports a step, also ZenML's own entry points in an
Airflow task or a Kubernetes pod, has all of them. Artifacts are loaded by the name of their materializer, without this.
"""

from __future__ import annotations

from zenml.materializers.materializer_registry import materializer_registry

from materializers.dataset import DatasetMaterializer
from materializers.findings import NegativesMaterializer, RunsMaterializer
from materializers.folder import FolderMaterializer
from materializers.models import BiEncoderMaterializer, CrossEncoderMaterializer, RetrieverMaterializer
from materializers.reports import (
    DecisionMaterializer,
    ReportMaterializer,
    TrainingReportMaterializer,
    ValidationReportMaterializer,
)
from materializers.vectors import VectorsMaterializer

MATERIALIZERS: tuple[type[FolderMaterializer], ...] = (
    BiEncoderMaterializer,
    CrossEncoderMaterializer,
    DatasetMaterializer,
    DecisionMaterializer,
    NegativesMaterializer,
    ReportMaterializer,
    RetrieverMaterializer,
    RunsMaterializer,
    TrainingReportMaterializer,
    ValidationReportMaterializer,
    VectorsMaterializer,
)


def register_materializers() -> None:
    """Have ZenML keep each type with its materializer; a second call changes nothing."""
    for materializer in MATERIALIZERS:
        for stored in materializer.ASSOCIATED_TYPES:
            materializer_registry.register_and_overwrite_type(stored, materializer)
