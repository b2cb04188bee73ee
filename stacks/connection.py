"""From a registered ZenML component to a client of what stands behind it."""

from __future__ import annotations

import os
from typing import cast

from zenml.artifact_stores import BaseArtifactStore
from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.stack import StackComponent

from retrieval.errors import ConfigError, StorageError
from retrieval.s3.client import (
    DEFAULT_REGION,
    S3,
    S3Settings,
    connect,
    of_client,
    patience_seconds,
    settings_from_environment,
)

S3_FLAVOR = "s3"
S3_STORE = "s3_store"
"""Name of the artifact store that the stack `s3` registers."""


def s3_of(store: BaseArtifactStore) -> S3 | None:
    """A client with the address and credentials of an S3 artifact store; None for a store of another kind."""
    if store.flavor != S3_FLAVOR:
        return None
    key, secret, token, region = store.get_credentials()  # type: ignore[attr-defined]
    options = dict(store.config.client_kwargs or {})  # type: ignore[attr-defined]
    settings = S3Settings(
        endpoint_url=options.get("endpoint_url"),
        region=region or options.get("region_name") or DEFAULT_REGION,
        access_key=key,
        secret_key=secret,
        session_token=token,
        patience_seconds=patience_seconds(),
    )
    return connect(settings)


def refused_by_s3(error: Exception) -> StorageError | None:
    """What ended ZenML's own request to the active stack's S3 store; None where the error is another one.

    Requests of this project wait for a server that is away and explain themselves; those of ZenML, such as whether an
    artifact is there already, do neither.
    """
    if not of_client(error):
        return None
    store = Client().active_stack.artifact_store
    s3 = s3_of(store)
    return s3.explained(store.path, error) if s3 is not None else None


def bucket_of(store: BaseArtifactStore) -> str:
    """``s3://bucket`` of an S3 artifact store."""
    return f"s3://{store.config.bucket}"  # type: ignore[attr-defined]


def registered_store() -> tuple[S3, str]:
    """Client and ``s3://bucket`` of the registered store `s3_store`; else of what the environment names.

    Raises:
        ConfigError: If there is neither.
    """
    found = Client().list_stack_components(name=S3_STORE, type=StackComponentType.ARTIFACT_STORE).items
    if found:
        store = cast(
            BaseArtifactStore, StackComponent.from_model(Client().get_stack_component(found[0].type, found[0].id))
        )
        s3 = s3_of(store)
        if s3 is not None:
            return s3, bucket_of(store)
    bucket = os.environ.get("S3_BUCKET")
    if not bucket:
        raise ConfigError("no bucket known: run `python -m stacks.register s3`, or set S3_BUCKET and AWS_... variables")
    return connect(settings_from_environment()), f"s3://{bucket}"
