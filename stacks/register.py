"""Registers the stack `local` and chooses the stack of a run, leaving the user's active stack as it is.

``python -m stacks.register`` registers it by hand.
"""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches

from zenml.client import Client
from zenml.constants import ENV_ZENML_ACTIVE_STACK_ID
from zenml.enums import StackComponentType
from zenml.models import StackResponse

from retrieval.errors import ConfigError

LOCAL = "local"
TRACKER = "local_mlflow"
ZENML_DEFAULT = "default"


def choose_stack(name: str | None = None) -> StackResponse:
    """The stack to run on: the one named, else the user's active one, else `local` where that is ZenML's own default.

    Raises:
        ConfigError: If no stack has that name.
    """
    client = Client()
    if name is None:
        active = client.active_stack_model
        return register_local_stack() if active.name == ZENML_DEFAULT else active
    found = client.list_stacks(name=name).items
    if found:
        return found[0]
    if name == LOCAL:
        return register_local_stack()
    known = sorted({LOCAL, *(stack.name for stack in client.list_stacks(size=200).items)})
    near = get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    raise ConfigError(f"--stack {name}: no such stack; {hint}")


def register_local_stack() -> StackResponse:
    """The stack `local`: local orchestrator and artifact store, MLflow on SQLite inside that store; made if missing."""
    client = Client()
    found = client.list_stacks(name=LOCAL).items
    if found:
        return found[0]
    if not client.list_stack_components(name=TRACKER, type=StackComponentType.EXPERIMENT_TRACKER).items:
        client.create_stack_component(
            name=TRACKER, flavor="mlflow", component_type=StackComponentType.EXPERIMENT_TRACKER, configuration={}
        )
    parts = client.get_stack(ZENML_DEFAULT, allow_name_prefix_match=False).components
    components = {
        StackComponentType.ORCHESTRATOR: parts[StackComponentType.ORCHESTRATOR][0].id,
        StackComponentType.ARTIFACT_STORE: parts[StackComponentType.ARTIFACT_STORE][0].id,
        StackComponentType.EXPERIMENT_TRACKER: TRACKER,
    }
    return client.create_stack(LOCAL, components)


def use_for_this_process(stack: StackResponse) -> None:
    """Run on a stack without writing it into the user's configuration.

    ZenML reads this variable before its configuration files. Were it set before the store is open, ZenML would save
    it, so the store is opened first.
    """
    _ = Client().zen_store
    os.environ[ENV_ZENML_ACTIVE_STACK_ID] = str(stack.id)


if __name__ == "__main__":
    sys.stdout.write(f"stack {register_local_stack().name} is registered\n")
