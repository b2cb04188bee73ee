"""Which ZenML store is in use: versions are numbered anew in each."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from zenml.client import Client
from zenml.models import ArtifactVersionResponse


def store_facts() -> dict[str, str]:
    """``store``, an id that no other store has, and ``store_url``, where it is.

    A store numbers versions in each of its projects, so the id is the project's, which was drawn when the project was
    made: a store made anew at the same place has another. Servers that share a database share it.
    """
    client = Client()
    project = client.active_project
    named = "" if project.name == "default" else f", project {project.name}"
    return {"store": str(project.id), "store_url": _without_login(client.zen_store.url) + named}


def run_of(artifact: ArtifactVersionResponse) -> str:
    """Name of the run that made an artifact; empty where it was deleted."""
    maker = artifact.producer_pipeline_run_id
    if maker is None:
        return ""
    try:
        return str(Client().get_pipeline_run(maker).name)
    except (KeyError, ValueError):  # it is gone
        return ""


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
