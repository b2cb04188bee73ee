"""Versions of the three models in ZenML's Model Control Plane: finding, making, linking and staging them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from zenml import log_metadata
from zenml.client import Client
from zenml.enums import ModelStages
from zenml.metadata.metadata_types import MetadataType
from zenml.model.utils import link_artifact_version_to_model_version
from zenml.models import ArtifactVersionResponse, ModelVersionResponse

from registry.store import store_facts
from retrieval.errors import ConfigError
from retrieval.experiments.assessment import JudgedRuns
from retrieval.model_store import kept_retrievers
from retrieval.names import LEGAL_BI_ENCODER, LEGAL_CROSS_ENCODER, LEGAL_RETRIEVER

BI_ENCODER, CROSS_ENCODER, RETRIEVER = LEGAL_BI_ENCODER, LEGAL_CROSS_ENCODER, LEGAL_RETRIEVER
MAIN = {BI_ENCODER: "bi_encoder", CROSS_ENCODER: "cross_encoder", RETRIEVER: "retriever"}
"""Artifact that a version of each model is a version of; one without it was cut short while it was made."""
PARTS = {BI_ENCODER: "bi_encoder_version", CROSS_ENCODER: "cross_encoder_version"}
"""The models a retriever is made of, and the fact of its version that names theirs."""
DESCRIPTIONS = {
    BI_ENCODER: "First stage: Vietnamese questions and law passages as vectors",
    CROSS_ENCODER: "Second stage: reads a question and a passage together",
    RETRIEVER: "Both stages with their index and fusion settings",
}


def versions(model: str = RETRIEVER) -> list[ModelVersionResponse]:
    """All versions of a model, newest first; none where the model is not there yet."""
    return list(Client().list_model_versions(model=model, sort_by="desc:number", size=1000, hydrate=True).items)


def name_of(version: ModelVersionResponse) -> str:
    """Name of a version; ZenML's type allows none, and its store then gives the number."""
    return version.name or str(version.number)


def newest_version(model: str = RETRIEVER) -> ModelVersionResponse | None:
    """The newest version of a model, finished or not; None where there is none."""
    found = Client().list_model_versions(model=model, sort_by="desc:number", size=1, hydrate=True).items
    return next(iter(found), None)


def find_version(name: str, model: str = RETRIEVER) -> ModelVersionResponse:
    """A version by ``latest``, a stage, its number or, of a retriever, the name of the folder it is kept in.

    Raises:
        ConfigError: If there is none; says what there is.

    Example:
        version = find_version("production")
        version.name, version.stage
    """
    name = _version_kept_as(name) if model == RETRIEVER else name
    known = versions(model)
    if not known:
        raise ConfigError(f"{model}: no version yet; run `python run.py --pipeline training` first")
    whole = [version for version in known if version.get_artifact(MAIN[model])] if name == "latest" else known
    found = [one for one in whole if name in {"latest", one.name, str(one.number), one.stage}]
    if not found:
        shown = ", ".join(f"{one.name} ({one.stage})" if one.stage else name_of(one) for one in known[:10])
        put = ", or put one there with `python run.py --pipeline promotion`" if name == "production" else ""
        raise ConfigError(f"{model}: no version {name}; known: {shown}; name one of them{put}")
    return found[0]


def _version_kept_as(name: str) -> str:
    """Number of the version that is kept in a folder of this name; the name itself where it is none's.

    Raises:
        ConfigError: If the folder is of another store, whose versions are not known here.
    """
    for one in kept_retrievers():
        if one.name == name and name != one.version:
            if one.store not in {"", store_facts()["store"]}:
                raise ConfigError(
                    f"{name}: version {one.version} of {one.origin}, and another ZenML store is in use; connect to"
                    " that one (python -m retrieval.search --list shows what is kept), or name a version of this one"
                )
            return one.version
    return name


def in_stage(stage: ModelStages, model: str = RETRIEVER) -> ModelVersionResponse | None:
    """The version in a stage; None where it is empty."""
    return next(iter(all_in_stage(stage, model)), None)


def all_in_stage(stage: ModelStages, model: str) -> list[ModelVersionResponse]:
    """The versions in a stage, newest first: one at most, unless two processes put theirs there at once."""
    return list(Client().list_model_versions(model=model, stage=stage, sort_by="desc:number", hydrate=True).items)


def artifact_of(version: ModelVersionResponse, name: str) -> ArtifactVersionResponse:
    """An artifact linked to a version.

    Raises:
        ConfigError: If the version has no such artifact.
    """
    found = version.get_artifact(name)
    if found is None:
        raise ConfigError(f"{version.model.name} {version.name}: has no artifact {name}; train a new version")
    return found


def test_runs_of(version: str) -> JudgedRuns:
    """What a version of legal-retriever found for its test queries."""
    runs: JudgedRuns = artifact_of(find_version(version), "test_runs").load()
    return runs


def make_version(
    model: str,
    main: ArtifactVersionResponse,
    linked: Mapping[str, ArtifactVersionResponse],
    metadata: Mapping[str, MetadataType],
) -> ModelVersionResponse:
    """A version of a model for an artifact; the one that already holds the same content is taken again.

    Args:
        model: Name of the model, registered where it is not there yet.
        main: What the version is a version of.
        linked: Further artifacts to link.
        metadata: Facts to record.
    """
    client = Client()
    if not client.list_models(name=model).items:
        client.create_model(name=model, description=DESCRIPTIONS.get(model, ""), license="MIT")
    version = _reusable(model, main) or client.create_model_version(model)
    for artifact in (main, *linked.values()):
        link_to_version(artifact, version)
    record(version, metadata)
    return version


def parts_of(retriever: ModelVersionResponse) -> dict[str, str]:
    """Version by name of the two models a retriever is made of; without those it does not name."""
    facts = retriever.run_metadata
    return {model: str(facts[key]) for model, key in PARTS.items() if facts.get(key) is not None}


def set_stage(version: ModelVersionResponse, stage: ModelStages) -> None:
    """Put a version into a stage; the one that was there is archived."""
    Client().update_model_version(version.model.id, version.id, stage=stage, force=True)


def record(version: ModelVersionResponse, metadata: Mapping[str, MetadataType]) -> None:
    """Add facts to a version; numbers that are not finite are left out."""
    finite = {key: value for key, value in metadata.items() if not isinstance(value, float) or math.isfinite(value)}
    log_metadata(metadata=finite, model_name=version.model.name, model_version=name_of(version))


def link_to_version(artifact: ArtifactVersionResponse, version: ModelVersionResponse) -> None:
    """Show an artifact with a version."""
    link_artifact_version_to_model_version(artifact, version)


def _reusable(model: str, artifact: ArtifactVersionResponse) -> ModelVersionResponse | None:
    """The newest version, if it holds the same content, or nothing because its making was cut short."""
    newest = newest_version(model)
    held = newest.get_artifact(artifact.name) if newest else None
    if held is None:
        return newest
    same_content = held.content_hash is not None and held.content_hash == artifact.content_hash
    return newest if held.id == artifact.id or same_content else None
