"""MLflow runs: one for each ZenML run, found again by its id, and what is written into it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tracking.connection import Tracker, failures

ZENML_RUN = "zenml.run_id"
"""Tag by which the run of a ZenML run is found."""
_BATCH = 100  # MLflow takes 1000 metrics and 100 parameters or tags at once
Record = Mapping[str, Any]
EntityT = TypeVar("EntityT")
"""A metric, parameter, tag, folder or status as it is kept on disk."""


@dataclass(frozen=True)
class RunFacts:
    """What a run is called and where it belongs.

    Attributes:
        zenml_id: Of the ZenML run.
        name: Of both runs.
        experiment: In MLflow.
        tags: Where it came from.
    """

    zenml_id: str
    name: str
    experiment: str
    tags: Mapping[str, str] = field(default_factory=dict)


def open_run(tracker: Tracker, facts: RunFacts) -> tuple[str, str]:
    """Ids of the MLflow run of a ZenML run, made if it is not there yet, and of its experiment.

    Two processes that make it at once both take the older one.
    """
    client, experiment = tracker.client, experiment_id(tracker, facts.experiment)
    found = _runs_of(tracker, experiment, facts.zenml_id)
    if found:
        return found[0], experiment
    made = client.create_run(experiment, run_name=facts.name, tags={**facts.tags, ZENML_RUN: facts.zenml_id})
    first = _runs_of(tracker, experiment, facts.zenml_id)[0]
    if first != made.info.run_id:
        client.delete_run(made.info.run_id)
    return first, experiment


def experiment_id(tracker: Tracker, name: str) -> str:
    """Id of an experiment, made if it is not there yet."""
    client = tracker.client
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, artifact_location=tracker.artifact_root))
        except failures():
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def run_of(tracker: Tracker, experiment: str, zenml_id: str) -> str:
    """Id of the MLflow run of a ZenML run; empty where there is none, such as for one tracked elsewhere."""
    found = _runs_of(tracker, experiment_id(tracker, experiment), zenml_id) if zenml_id else []
    return found[0] if found else ""


def write(tracker: Tracker, run_id: str, records: Sequence[Record]) -> None:
    """Send records; sending the same ones again changes nothing."""
    from mlflow.entities import Metric, Param, RunTag

    client = tracker.client
    for metrics in _batches([Metric(r["metric"], r["value"], r["at"], r["step"]) for r in records if "metric" in r]):
        client.log_batch(run_id, metrics=metrics)
    for params in _batches([Param(r["param"], r["value"]) for r in records if "param" in r]):
        client.log_batch(run_id, params=params)
    for tags in _batches([RunTag(r["tag"], r["value"]) for r in records if "tag" in r]):
        client.log_batch(run_id, tags=tags)
    for record in records:
        if "folder" in record and Path(record["folder"]).is_dir():
            client.log_artifacts(run_id, record["folder"], record["name"])
    status = [record["status"] for record in records if "status" in record]
    if status:
        client.set_terminated(run_id, status[-1])


def _batches(entities: Sequence[EntityT]) -> Iterator[Sequence[EntityT]]:
    """As many at a time as MLflow takes in one request; none where there are none."""
    for start in range(0, len(entities), _BATCH):
        yield entities[start : start + _BATCH]


def in_words(records: Sequence[Record]) -> str:
    """How many metrics, parameters, tags and folders there are."""
    kinds = {"metric": "metric", "param": "parameter", "tag": "tag", "folder": "report folder"}
    counts = {words: sum(kind in record for record in records) for kind, words in kinds.items()}
    told = [f"{count} {words}{'s' if count > 1 else ''}" for words, count in counts.items() if count]
    return ", ".join(told) or "the end of a run"


def git_commit(folder: Path) -> str:
    """The commit a folder stands at, with ``+changes`` where files differ from it; empty outside of git."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return f"{commit}+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout.strip()


def _runs_of(tracker: Tracker, experiment: str, zenml_id: str) -> list[str]:
    """Ids of the runs of a ZenML run, oldest first."""
    wanted = f"tags.`{ZENML_RUN}` = '{zenml_id}'"
    found = tracker.client.search_runs([experiment], wanted, order_by=["attributes.start_time ASC"])
    return [run.info.run_id for run in sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))]
