"""A version's whole story in lines: stage, metrics, data, verdicts, who replaced whom, runs and artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zenml.client import Client
from zenml.models import ArtifactVersionResponse, ModelVersionResponse

from registry import ledger
from registry.versions import BI_ENCODER, CROSS_ENCODER, name_of
from retrieval.evaluation.summary import LABELS

_PARTS = {BI_ENCODER: "bi_encoder_version", CROSS_ENCODER: "cross_encoder_version"}
_METRICS = ("mrr@10", "recall@100", "gain_over_bm25", "difference_to_production", "p_value_to_production")
_VERDICTS = {"gate": "Gate", "promotion": "Promotion", "rollback": "Rollback"}
"""Facts of a version that hold a verdict; its reasons are in the fact named ``NAME_reasons``."""


def version_report(version: ModelVersionResponse) -> list[str]:
    """Everything kept about a version of legal-retriever.

    Args:
        version: Hydrated.
    """
    artifacts = linked_artifacts(version)
    facts = version.run_metadata
    made_of = [f"{name} {facts[key]}" for name, key in _PARTS.items() if key in facts]
    return [
        f"{version.model.name} {version.name} ({version.stage or 'no stage'})",
        *_section("Made", [f"{version.created:%Y-%m-%d %H:%M} UTC", *made_of]),
        *_section("Production", succession(name_of(version), ledger.changes())),
        *outcome(version, artifacts),
    ]


def outcome(version: ModelVersionResponse, artifacts: Sequence[ArtifactVersionResponse]) -> list[str]:
    """Metrics, data version, verdicts, runs and artifacts of a version.

    Args:
        version: Hydrated.
        artifacts: Linked to it, hydrated.
    """
    lines = _section("Test", [*metrics(version), *_stages(artifacts)])
    lines += _section("Data version", _data_versions(artifacts))
    for name, title in _VERDICTS.items():
        if name in version.run_metadata:
            reasons = version.run_metadata.get(f"{name}_reasons")
            shown = [f"  - {reason}" for reason in reasons] if isinstance(reasons, list) else []
            lines += [f"{title}: {version.run_metadata[name]}", *shown]
    lines += _section("Runs", runs(artifacts))
    return lines + _section("Artifacts", [f"{one.name} {one.version}  {one.uri}" for one in artifacts])


def linked_artifacts(version: ModelVersionResponse) -> list[ArtifactVersionResponse]:
    """Every artifact linked to a version, hydrated, by name and age."""
    found = Client().list_artifact_versions(model_version_id=version.id, size=1000, hydrate=True).items
    return sorted(found, key=lambda one: (one.name, one.created))


def succession(name: str, changes: Iterable[ledger.Change]) -> list[str]:
    """Whose place a version took in production and who took its own, each time it came and went, one a line.

    Args:
        name: Of the version.
        changes: Of production, oldest first; one that was left half done changed nothing.
    """
    lines = []
    for change in changes:
        if not change.done or name not in (change.version, change.before):
            continue
        if change.version == name:
            became = f"took the place of {change.before}" if change.before else "came into an empty production"
        else:
            became = f"gave way to {change.version}" if change.version else "was taken out"
        lines.append(f"{change.at:%Y-%m-%d %H:%M} UTC  {became} ({change.kind})")
    return lines


def metrics(version: ModelVersionResponse) -> list[str]:
    """What the gate measured, one line."""
    found = [(name, version.run_metadata.get(name)) for name in _METRICS]
    shown = [f"{name} {value:.4f}" for name, value in found if isinstance(value, float)]
    return ["  ".join(shown)] if shown else []


def runs(artifacts: Iterable[ArtifactVersionResponse]) -> list[str]:
    """The ZenML runs that made artifacts, and the MLflow runs these wrote to, one a line."""
    client = Client()
    steps = {one.producer_step_run_id for one in artifacts if one.producer_step_run_id}
    pipelines = {one.producer_pipeline_run_id for one in artifacts if one.producer_pipeline_run_id}
    made = sorted((client.get_pipeline_run(one) for one in pipelines), key=lambda run: run.created)
    tracked = {client.get_run_step(one).run_metadata.get("mlflow_run_id") for one in steps} - {None}
    return [
        *(f"ZenML   {run.name}  {run.id}" for run in made),
        *(f"MLflow  {one}" for one in sorted(map(str, tracked))),
    ]


def _stages(artifacts: Iterable[ArtifactVersionResponse]) -> list[str]:
    """MRR@10 of every stage that was compared, one line."""
    for artifact in artifacts:
        if artifact.name == "test_runs":
            found = [(name, artifact.run_metadata.get(f"{name}_mrr_at_10")) for name in LABELS]
            shown = [f"{name} {value:.4f}" for name, value in found if isinstance(value, float)]
            return ["mrr@10 of " + "  ".join(shown)] if shown else []
    return []


def _data_versions(artifacts: Iterable[ArtifactVersionResponse]) -> list[str]:
    """Fingerprints of the datasets that the models were trained on."""
    found = {one.run_metadata.get("data_version") for one in artifacts} - {None}
    return sorted(map(str, found))


def _section(title: str, lines: Sequence[str]) -> list[str]:
    """A title with its lines indented; nothing where there are none."""
    return [title, *(f"  {line}" for line in lines)] if lines else []
