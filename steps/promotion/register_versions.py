"""Step: make versions of the three models, and stage the retriever where the gates let it pass."""

from __future__ import annotations

from typing import Annotated

from zenml import get_step_context
from zenml.artifacts.unmaterialized_artifact import UnmaterializedArtifact
from zenml.enums import ModelStages

from registry.publish import publish_version
from registry.reconcile import reconcile
from registry.versions import BI_ENCODER, CROSS_ENCODER, RETRIEVER, make_version, name_of, set_stage
from retrieval.records import Decision
from retrieval.training.loop import TrainingReport
from steps.library_step import library_step


@library_step
def register_versions(
    bi_encoder: UnmaterializedArtifact,
    cross_encoder: UnmaterializedArtifact,
    retriever: UnmaterializedArtifact,
    test_runs: UnmaterializedArtifact,
    bi_encoder_report: UnmaterializedArtifact,
    cross_encoder_report: UnmaterializedArtifact,
    bi_encoder_training: TrainingReport,
    cross_encoder_training: TrainingReport,
    decision: Decision,
    experiment: str,
) -> Annotated[dict[str, str], "versions"]:
    """Link everything that belongs together.

    Args:
        bi_encoder: First-stage model.
        cross_encoder: Reranker.
        retriever: Both with their index.
        test_runs: What it found for its test queries.
        bi_encoder_report: Of the first stage.
        cross_encoder_report: Of the whole.
        bi_encoder_training: How its training went.
        cross_encoder_training: How its training went.
        decision: Of the gate.
        experiment: Of MLflow.

    Returns:
        Version by model name; with ``staged`` ``yes`` or ``no``.
    """
    decision_artifact = get_step_context().inputs["decision"][0]
    first = make_version(
        BI_ENCODER,
        bi_encoder,
        {"report": bi_encoder_report},
        {"validation_mrr_at_10": bi_encoder_training.best_score, "seconds": bi_encoder_training.seconds},
    )
    second = make_version(
        CROSS_ENCODER,
        cross_encoder,
        {"report": cross_encoder_report},
        {"validation_mrr_at_10": cross_encoder_training.best_score, "seconds": cross_encoder_training.seconds},
    )
    publish_version(first, bi_encoder)
    publish_version(second, cross_encoder)
    whole = make_version(
        RETRIEVER,
        retriever,
        {
            "bi_encoder": bi_encoder,
            "cross_encoder": cross_encoder,
            "test_runs": test_runs,
            "report": cross_encoder_report,
            "decision": decision_artifact,
        },
        {
            **decision.values,
            "gate": "passed" if decision.passed else "refused",
            "gate_reasons": list(decision.reasons),
            "bi_encoder_version": name_of(first),
            "cross_encoder_version": name_of(second),
        },
    )
    if decision.passed and whole.stage != ModelStages.PRODUCTION.value:
        set_stage(whole, ModelStages.STAGING)
    reconcile(experiment)
    return {
        BI_ENCODER: name_of(first),
        CROSS_ENCODER: name_of(second),
        RETRIEVER: name_of(whole),
        "staged": "yes" if decision.passed else "no",
    }
