"""Chooses the stack of a run, leaving the user's active stack as it is."""

from __future__ import annotations

import os
from difflib import get_close_matches

from zenml.client import Client
from zenml.constants import ENV_ZENML_ACTIVE_STACK_ID
from zenml.enums import StackComponentType
from zenml.models import StackResponse

from retrieval.errors import ConfigError
from retrieval.s3.checksums import suit_other_clients
from stacks.connection import S3_FLAVOR
from stacks.declarations import declared_stacks, read_stack
from stacks.registration import register_stack

LOCAL = "local"
ZENML_DEFAULT = "default"


def choose_stack(name: str | None = None) -> StackResponse:
    """The stack to run on: the one named, else the user's active one, else `local` where that is ZenML's own default.

    Raises:
        ConfigError: If no stack has that name.
    """
    client = Client()
    if name is None:
        active = client.active_stack_model
        if active.name != ZENML_DEFAULT:
            return active
        name = LOCAL
    found = client.list_stacks(name=name).items
    if found:
        return found[0]
    if name == LOCAL:
        return register_stack(read_stack(LOCAL))
    if name in declared_stacks():
        raise ConfigError(f"--stack {name}: not registered yet; run `python -m stacks.register {name}` first")
    known = sorted({*declared_stacks(), *(stack.name for stack in client.list_stacks(size=200).items)})
    near = get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    raise ConfigError(f"--stack {name}: no such stack; {hint}")


def use_for_this_process(stack: StackResponse) -> None:
    """Run on a stack without writing it into the user's configuration.

    ZenML reads this variable before its configuration files. Were it set before the store is open, ZenML would save
    it, so the store is opened first. ZenML's and MLflow's S3 clients are made to suit the stack's endpoint.
    """
    _ = Client().zen_store
    for endpoint in _s3_endpoints(stack):
        suit_other_clients(endpoint)
    os.environ[ENV_ZENML_ACTIVE_STACK_ID] = str(stack.id)


def _s3_endpoints(stack: StackResponse) -> list[str]:
    """Addresses of S3 stores that ZenML and MLflow will talk to: the stack's, and MLflow's own where one is set."""
    stores = stack.components.get(StackComponentType.ARTIFACT_STORE, [])
    told = [store.configuration.get("client_kwargs") for store in stores if store.flavor_name == S3_FLAVOR]
    of_stack = [str(one.get("endpoint_url") or "") for one in told if isinstance(one, dict)]
    names = ("MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    return [one for one in (*of_stack, *(os.environ.get(name, "") for name in names)) if one]
