"""MLflow's registry: versions of models as plain folders, found by the ZenML version they stand for, and aliases.

A version's source is a logged model: MLflow 3 keeps a model's files there, beside its run, and needs no MLmodel file or
pickle for it. ``mlflow.artifacts.download_artifacts("models:/NAME@production")`` gives the folder back.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from retrieval.folders import link_or_copy
from tracking.connection import Tracker, failures
from tracking.runs import experiment_id, run_of

ZENML_VERSION, ZENML_VERSION_ID = "zenml.version", "zenml.version_id"


@dataclass(frozen=True)
class Registration:
    """A model version of ZenML as MLflow is told of it.

    Attributes:
        model: Name of the model in both registries.
        version: Number in ZenML.
        version_id: Id in ZenML.
        description: Of the model.
        zenml_run_id: ZenML run that made it; empty where none is known.
        tags: Further facts.
    """

    model: str
    version: str
    version_id: str
    description: str = ""
    zenml_run_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Registered:
    """Where a version stands in MLflow: its number there and the run that made it, empty where that is unknown."""

    number: str
    run_id: str


def registered(tracker: Tracker, model: str, version_id: str) -> Registered | None:
    """The version that stands for one of ZenML; None where there is none yet."""
    found = tracker.client.search_model_versions(f"name='{model}' and tags.`{ZENML_VERSION_ID}` = '{version_id}'")
    oldest = min(found, key=lambda one: int(one.version), default=None)
    return Registered(str(oldest.version), oldest.run_id or "") if oldest else None


def register(tracker: Tracker, experiment: str, entry: Registration, folder: Path) -> Registered:
    """Make a version from a folder, in the run of the ZenML run that made the model, where MLflow has that run.

    Args:
        tracker: Where to.
        experiment: Holds the run and the files.
        entry: What it stands for.
        folder: Its files.
    """
    client, run_id = tracker.client, run_of(tracker, experiment, entry.zenml_run_id)
    tags = {**entry.tags, ZENML_VERSION: entry.version, ZENML_VERSION_ID: entry.version_id}
    model = client.create_logged_model(
        experiment_id(tracker, experiment), entry.model, run_id or None, tags=tags, model_type=entry.model
    )
    _keep(tracker, model.model_id, model.artifact_location, folder)
    client.finalize_logged_model(model.model_id, "READY")
    with suppress(*failures()):  # there already; if it is not, the next call says why
        client.create_registered_model(entry.model, description=entry.description)
    made = client.create_model_version(
        entry.model, f"models:/{model.model_id}", run_id or None, tags=tags, model_id=model.model_id
    )
    if run_id:
        client.set_tag(run_id, f"zenml.model.{entry.model}", entry.version)
    return Registered(str(made.version), run_id)


def aliases(tracker: Tracker, model: str) -> dict[str, str]:
    """MLflow's version number by alias; none where the model is not registered yet."""
    found = tracker.client.search_registered_models(f"name='{model}'")
    return {alias: str(number) for one in found for alias, number in one.aliases.items()}


def zenml_version(tracker: Tracker, model: str, number: str) -> str:
    """The ZenML version that a version of MLflow stands for; empty where it was not made here."""
    return str(tracker.client.get_model_version(model, number).tags.get(ZENML_VERSION, ""))


def set_alias(tracker: Tracker, model: str, alias: str, number: str | None) -> None:
    """Let an alias name a version, or nothing."""
    if number is None:
        tracker.client.delete_registered_model_alias(model, alias)
    else:
        tracker.client.set_registered_model_alias(model, alias, number)


def _keep(tracker: Tracker, model_id: str, location: str, folder: Path) -> None:
    """Upload a folder; on this machine's own disk its files are linked, so that they take no room twice."""
    if tracker.is_server or not location.startswith(("file:", "/")):
        tracker.client.log_model_artifacts(model_id, str(folder))
        return
    shutil.copytree(folder, location.removeprefix("file:"), copy_function=_shared, dirs_exist_ok=True)


def _shared(source: str, target: str) -> None:
    link_or_copy(Path(source), Path(target))
