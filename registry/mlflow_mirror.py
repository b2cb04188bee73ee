"""MLflow's registry made to say what ZenML's says: versions with their files and runs, and aliases for stages."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zenml.artifact_stores import BaseArtifactStore
from zenml.client import Client
from zenml.enums import ModelStages, StackComponentType
from zenml.metadata.metadata_types import MetadataType, Uri
from zenml.models import ArtifactVersionResponse, ModelVersionResponse
from zenml.stack import StackComponent

from materializers.models import BiEncoderMaterializer, CrossEncoderMaterializer
from registry.versions import (
    BI_ENCODER,
    CROSS_ENCODER,
    DESCRIPTIONS,
    MAIN,
    RETRIEVER,
    artifact_of,
    find_version,
    in_stage,
    name_of,
    newest_version,
    parts_of,
    record,
)
from retrieval.errors import ConfigError
from tracking import model_registry
from tracking.connection import Tracker

STAGES = (ModelStages.STAGING, ModelStages.PRODUCTION)
_MATERIALIZERS = {BI_ENCODER: BiEncoderMaterializer, CROSS_ENCODER: CrossEncoderMaterializer}
_FROM_MLFLOW = "mlflow:"


def mirror(tracker: Tracker, experiment: str) -> list[str]:
    """Register what is staged, in production or newest, and move the aliases; nothing is done twice.

    Args:
        tracker: Where to.
        experiment: Of the runs.

    Returns:
        A line for each change.
    """
    wanted = _wanted()
    lines: list[str] = []
    for model, by_alias in wanted.items():
        newest = newest_version(model)
        whole = [newest] if newest and newest.get_artifact(MAIN[model]) else []
        numbers = {
            version.id: _registered(tracker, experiment, version, lines.append)
            for version in [*whole, *by_alias.values()]
        }
        present = model_registry.aliases(tracker, model)
        for stage in STAGES:
            version = by_alias.get(stage.value)
            number = numbers[version.id] if version else None
            if present.get(stage.value) != number:
                model_registry.set_alias(tracker, model, stage.value, number)
                lines.append(f"MLflow: {model}@{stage.value} is {f'version {number}' if number else 'nothing'} now")
    return lines


def resolve(name: str, tracker: Tracker | None) -> str:
    """A version of legal-retriever by name; ``mlflow:ALIAS`` is the one that an alias of MLflow's registry names.

    Raises:
        ConfigError: If there is no such alias, or it names a version that was not made here.
    """
    if not name.startswith(_FROM_MLFLOW):
        return name
    alias = name.removeprefix(_FROM_MLFLOW)
    if tracker is None:
        raise ConfigError(f"promotion.version {name}: the stack has no MLflow; give a stage or a version number")
    known = model_registry.aliases(tracker, RETRIEVER)
    if alias not in known:
        raise ConfigError(
            f"promotion.version {name}: MLflow's {RETRIEVER} has no alias {alias}; known: {', '.join(known) or 'none'}"
        )
    version = model_registry.zenml_version(tracker, RETRIEVER, known[alias])
    if not version:
        raise ConfigError(f"promotion.version {name}: MLflow's version {known[alias]} was not made by this project")
    return version


def _wanted() -> dict[str, dict[str, ModelVersionResponse]]:
    """For each model its version by alias; a version may have both aliases, but in ZenML only one stage.

    A version put into a stage by hand although its making was cut short has nothing to register.
    """
    wanted: dict[str, dict[str, ModelVersionResponse]] = {model: {} for model in MAIN}
    for stage in STAGES:
        retriever = in_stage(stage)
        parts = {model: find_version(name, model) for model, name in parts_of(retriever).items()} if retriever else {}
        for model, version in {RETRIEVER: retriever, **parts}.items():
            if version is not None and version.get_artifact(MAIN[model]):
                wanted[model][stage.value] = version
    return wanted


def _registered(tracker: Tracker, experiment: str, version: ModelVersionResponse, tell: Callable[[str], None]) -> str:
    """MLflow's number of a version, made where it has none; both sides then know each other."""
    model = version.model.name
    found = model_registry.registered(tracker, model, str(version.id))
    if found is None:
        artifact = artifact_of(version, MAIN[model])
        entry = model_registry.Registration(
            model=model,
            version=name_of(version),
            version_id=str(version.id),
            description=DESCRIPTIONS[model],
            zenml_run_id=str(artifact.producer_pipeline_run_id or ""),
            tags=_tags(version, artifact),
        )
        with _folder(version, artifact) as folder:
            found = model_registry.register(tracker, experiment, entry, folder)
        tell(f"MLflow: {model} {version.name} is registered as version {found.number}")
    if version.run_metadata.get("mlflow_version") != found.number:
        record(version, _links(tracker, model, found))
    return found.number


def _links(tracker: Tracker, model: str, found: model_registry.Registered) -> dict[str, MetadataType]:
    links: dict[str, MetadataType] = {"mlflow_version": found.number}
    if found.run_id:
        links["mlflow_run_id"] = found.run_id
    if tracker.is_server:
        links["mlflow_url"] = Uri(f"{tracker.uri}/#/models/{model}/versions/{found.number}")
    return links


def _tags(version: ModelVersionResponse, artifact: ArtifactVersionResponse) -> dict[str, str]:
    """What the registry shows beside a version."""
    facts = {
        "content_hash": artifact.content_hash,
        "artifact_uri": artifact.uri,
        "gate": version.run_metadata.get("gate"),
    }
    facts |= {name: artifact.run_metadata.get(name) for name in ("data_version", "base")}
    return {name: str(value) for name, value in {**facts, **parts_of(version)}.items() if value}


@contextmanager
def _folder(version: ModelVersionResponse, artifact: ArtifactVersionResponse) -> Iterator[Path]:
    """A model's folder on this machine; of a retriever, which is those two and an index, a list of its parts."""
    materializer = _MATERIALIZERS.get(version.model.name)
    if materializer is None:
        with tempfile.TemporaryDirectory() as temporary:
            parts = {"artifact": artifact.uri, "content_hash": artifact.content_hash, "parts": parts_of(version)}
            (Path(temporary) / "parts.json").write_text(json.dumps(parts, indent=2) + "\n", encoding="utf-8")
            yield Path(temporary)
        return
    folder = materializer(artifact.uri, store_of(artifact)).local_folder()
    yield folder
    if "://" in artifact.uri:
        shutil.rmtree(folder, ignore_errors=True)


def store_of(artifact: ArtifactVersionResponse) -> BaseArtifactStore:
    """The store that holds an artifact, which need not be the active stack's."""
    active = Client().active_stack.artifact_store
    if artifact.artifact_store_id in {None, active.id}:
        return active
    component = Client().get_stack_component(StackComponentType.ARTIFACT_STORE, artifact.artifact_store_id)
    store = StackComponent.from_model(component)
    if not isinstance(store, BaseArtifactStore):
        raise ConfigError(f"{artifact.uri}: component {component.name} is no artifact store; register it again")
    return store
