"""Puts new versions of the models where others fetch them, on stacks whose artifacts are in S3."""

from __future__ import annotations

from zenml.client import Client
from zenml.models import ArtifactVersionResponse, ModelVersionResponse

from materializers.folder import CONTENT
from registry.versions import name_of, record
from retrieval.s3.published import publish
from stacks.connection import bucket_of, s3_of
from stacks.models import MODELS, PUBLISHED


def publish_version(version: ModelVersionResponse, artifact: ArtifactVersionResponse) -> None:
    """Copy a model's folder to ``s3://bucket/MODEL/RUN_ID/`` and record the address; nothing without S3."""
    store = Client().active_stack.artifact_store
    s3 = s3_of(store)
    if s3 is None:
        return
    folder = next(folder for folder, model in MODELS.items() if model == version.model.name)
    uri = publish(s3, f"{artifact.uri}/{CONTENT}", f"{bucket_of(store)}/{folder}", name_of(version))
    record(version, {PUBLISHED: uri})
