"""Two real ZenML stores and one folder of kept retrievers: what a training in one does to the other's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from retrieval.folders import write_folder
from retrieval.model_store import facts_of
from tests.integration.conftest import ROOT

KEPT = "models/legal-retriever"


@dataclass(frozen=True)
class Stores:
    """A folder that commands are typed in, and where ZenML stores are by name."""

    folder: Path
    homes: Path

    def run(self, store: str, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        foreign = ("ZENML_", "MLFLOW_", "AWS_", "S3_")
        mine = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        zenml = {"ZENML_CONFIG_PATH": str(self.homes / store), "ZENML_DISABLE_STEP_LOGS_STORAGE": "true"}
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.folder,
            env={**mine, **zenml, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == expect, done.stdout[-2000:] + done.stderr[-6000:]
        return done

    def train(self, store: str, seed: int, *more: str) -> Path:
        done = self.run(store, "tests.integration.keeping", str(seed), *more)
        return self.folder / re.findall(r"^kept in (.+)$", done.stdout, flags=re.MULTILINE)[-1]

    def bundled_of(self, store: str, model: str) -> str:
        """What `python -m deployment.bundle` says it made a bundle of."""
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        done = self.run(store, "deployment.bundle", "--model", model, "--to", "out")
        return done.stdout.rpartition("made from ")[2].strip()


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Version 1 is in production in the store `mine`, then a version 1 is staged in the store `smoke`."""
    base = tmp_path_factory.mktemp("stores")
    (base / "typed").mkdir()
    made = Stores(base / "typed", base)
    made.train("mine", 1, "promote")
    made.train("smoke", 2)
    yield made
    shutil.rmtree(base, ignore_errors=True)


def test_a_training_in_another_store_replaces_nothing_that_is_served(stores: Stores) -> None:
    mine = stores.folder / KEPT / "1"
    (other,) = mine.parent.glob("1-*")
    assert facts_of(mine)["store"] != facts_of(other)["store"]
    assert f"{stores.homes}/mine/" in facts_of(mine)["store_url"]
    assert facts_of(mine)["run"].startswith("small-")
    for store in ("mine", "smoke"):
        assert stores.bundled_of(store, "production") == f"{KEPT}/1"
    assert stores.bundled_of("mine", "latest") == f"{KEPT}/{other.name}"
    assert stores.bundled_of("mine", "1") == f"{KEPT}/1"
    assert stores.bundled_of("smoke", "1") == f"{KEPT}/{other.name}"
    listed = stores.run("smoke", "retrieval.search", "--list").stdout
    assert "1, version 1, production, served\n" in listed
    assert f"{other.name}, version 1, staging\n" in listed
    assert "8 articles of Luật" in listed


def test_a_retriever_of_before_stores_were_told_apart_is_found_by_its_files(stores: Stores, tmp_path: Path) -> None:
    shutil.copytree(stores.folder / KEPT, tmp_path / KEPT)
    stores, kept = Stores(tmp_path, stores.homes), tmp_path / KEPT
    store, run = (facts_of(kept / "1")[name] for name in ("store", "run"))
    with write_folder(kept / "1") as staging:  # as it was kept then
        shutil.copytree(kept / "1", staging, dirs_exist_ok=True, ignore=shutil.ignore_patterns("facts.json"))
        (staging / "facts.json").write_text('{"retriever": "1", "code": "abc"}')
    (kept / "stages.json").write_text('{"production": "1"}')
    assert stores.bundled_of("smoke", "production") == f"{KEPT}/1"
    assert "store" not in facts_of(kept / "1")
    assert stores.bundled_of("mine", "production") == f"{KEPT}/1"
    found = facts_of(kept / "1")
    assert (found["store"], found["run"], found["code"]) == (store, run, "abc")
    assert '"production": "1"' in (kept / "stages.json").read_text()


def test_pipelines_take_the_name_of_a_kept_folder_for_its_version(stores: Stores) -> None:
    (other,) = (stores.folder / KEPT).glob("1-*")
    assert stores.run("smoke", "tests.integration.naming", other.name).stdout.endswith("version 1\n")
    refused = stores.run("mine", "tests.integration.naming", other.name).stdout
    assert f"refused: {other.name}: version 1 of " in refused
    assert "another ZenML store is in use" in refused
