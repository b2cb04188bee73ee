"""Whether the components of a registered stack answer."""

from __future__ import annotations

import shutil
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from zenml.artifact_stores import BaseArtifactStore
from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.models import ComponentResponse, StackResponse
from zenml.stack import StackComponent

from retrieval.errors import RetrievalError, StorageError
from retrieval.s3.client import S3
from retrieval.s3.objects import put_bytes, sizes_below
from stacks.connection import bucket_of, s3_of

_SECONDS = 5


@dataclass(frozen=True)
class Check:
    """What asking a component gave.

    Attributes:
        component: Its type.
        name: Its name.
        answers: Whether it works.
        message: What was seen, or what is wrong and how to mend it.
    """

    component: str
    name: str
    answers: bool
    message: str


def check_stack(stack: StackResponse) -> list[Check]:
    """Ask every component of a registered stack."""
    return [_check(component) for components in stack.components.values() for component in components]


def require_store(stack: StackResponse) -> None:
    """Make sure before a run that its artifact store can be written.

    Raises:
        StorageError: If it cannot.
    """
    (component,) = stack.components[StackComponentType.ARTIFACT_STORE]
    if component.flavor_name == "s3":
        _s3_answers(component)


def _check(component: ComponentResponse) -> Check:
    ask = _ASKED.get(component.flavor_name, _nothing_to_ask)
    try:
        answers, message = True, ask(component)
    except RetrievalError as error:
        answers, message = False, str(error)
    return Check(component.type.value, component.name, answers, message)


def _nothing_to_ask(component: ComponentResponse) -> str:
    return f"{component.flavor_name}: on this machine, nothing to ask"


def _s3_answers(component: ComponentResponse) -> str:
    store = cast(
        BaseArtifactStore, StackComponent.from_model(Client().get_stack_component(component.type, component.id))
    )
    s3 = s3_of(store)
    if s3 is None:
        return _nothing_to_ask(component)
    probe_store(s3, bucket_of(store))
    return f"{bucket_of(store)} at {s3.settings.endpoint_url or 'AWS'} can be listed and written"


def probe_store(s3: S3, bucket: str) -> None:
    """List, write and delete in a bucket.

    Raises:
        StorageError: If one of them is not possible.
    """
    uri = f"{bucket}/zenml/.probe-{uuid.uuid4().hex}"
    sizes_below(s3, f"{bucket}/zenml/.probe-none")
    put_bytes(s3, b"probe", uri)
    s3.patiently(uri, lambda: s3.client.delete_object(Bucket=uri.split("/")[2], Key=uri.split("/", 3)[3]))


def _mlflow_answers(component: ComponentResponse) -> str:
    uri = str(component.configuration.get("tracking_uri") or "")
    if not uri.startswith("http"):
        return f"MLflow on {uri or 'SQLite inside the artifact store'}"
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_SECONDS):  # noqa: S310 - http by the line above
            return f"MLflow at {uri} answers"
    except (urllib.error.URLError, OSError) as error:
        raise StorageError(
            f"{uri}/health: MLflow does not answer ({error}); start the server or correct MLFLOW_TRACKING_URI"
        ) from error


def _kubernetes_answers(component: ComponentResponse) -> str:
    context = str(component.configuration.get("kubernetes_context") or "")
    if shutil.which("kubectl") is None:
        raise StorageError("kubectl is not installed; see https://kubernetes.io/docs/tasks/tools")
    command = ["kubectl", "--context", context, "--request-timeout", f"{_SECONDS}s", "version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=4 * _SECONDS)
    if done.returncode:
        raise StorageError(f"context {context}: {done.stderr.strip()}; check KUBERNETES_CONTEXT and the cluster")
    return f"context {context} answers"


_ASKED: dict[str, Callable[[ComponentResponse], str]] = {
    "s3": _s3_answers,
    "mlflow": _mlflow_answers,
    "kubernetes": _kubernetes_answers,
}
