"""A copy of the project with a ZenML home of its own, so that tests may edit code and never touch the user's stacks."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.s3_server import S3Server, new_server, remove
from tests.integration.mlflow_server import MlflowServer

if TYPE_CHECKING:
    from tests.integration.production import Pool

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "run.py",
    "questions.csv",
    "training_questions.csv",
    "configs",
    "retrieval",
    "tracking",
    "stacks",
    "materializers",
    "monitoring",
    "registry",
    "steps",
    "pipelines",
)
STEPS = (
    "ingest_articles", "preprocess_text", "segment_text", "split_queries", "validate_data", "train_bi_encoder",
    "embed_corpus", "embed_corpus_pretrained", "evaluate_bi_encoder", "mine_negatives", "train_cross_encoder",
    "evaluate_cross_encoder", "export_reports", "gate_retriever", "register_versions", "keep_retriever",
    "notify_result",
)  # fmt: skip
LEAVING = {"export_reports", "keep_retriever"}
"""Steps that leave something on the machine."""
ALWAYS = {*LEAVING, "gate_retriever"}
"""Steps that are never answered from the cache: somebody may have deleted what they leave, or promoted a version."""
WITH_INTERRUPT = """\
import signal, sys
import run
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(run.main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Project:
    """A sandboxed copy; ``run`` types ``python run.py`` in it."""

    folder: Path
    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    database: Path | None = None
    """ZenML's database where it is shared between homes; else the home's own."""

    @property
    def environment(self) -> dict[str, str]:
        foreign = ("ZENML_", "MLFLOW_", "AWS_", "S3_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        shared = {"ZENML_STORE_URL": f"sqlite:///{self.database}"} if self.database else {}
        return {**kept, "ZENML_CONFIG_PATH": str(self.home), "PYTHONPATH": "", **shared, **self.variables}

    def run(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        return self.python("run.py", *arguments, expect=expect)

    def python(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=2400,
            check=False,
        )
        if expect is not None:
            assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
        return done

    def train(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        return self.run("--pipeline", "training", "--config", "configs/smoke.yaml", *arguments, expect=expect)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run in the background with Ctrl-C working, which a test runner in the background takes from its children."""
        (self.folder / "interruptible.py").write_text(WITH_INTERRUPT, encoding="utf-8")
        return subprocess.Popen(
            [sys.executable, "interruptible.py", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def query(self, statement: str) -> list[tuple[str, ...]]:
        """Rows of ZenML's own SQLite store."""
        store = self.database or self.home / "local_stores/default_zen_store/zenml.db"
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            return connection.execute(statement).fetchall()

    def steps(self) -> dict[str, str]:
        """Status of every step of the newest run."""
        newest = "(select id from pipeline_run order by created desc limit 1)"
        return dict(self.query(f"select name, status from step_run where pipeline_run_id = {newest}"))

    def recomputed(self) -> set[str]:
        return {name for name, status in self.steps().items() if status != "cached"}

    def versions(self) -> set[tuple[str, ...]]:
        """Model, version and stage of every version of the three models."""
        rows = self.query("select m.name, v.name, v.stage from model_version v join model m on v.model_id = m.id")
        return {row for row in rows if row[0] != "legal-retriever-production"}

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert len(re.findall(re.escape(old), text)) >= 1, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")


def copy_project(folder: Path) -> None:
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / part)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The copy, nothing run in it yet."""
    base = tmp_path_factory.mktemp("project")
    copy_project(base / "copy")
    yield Project(base / "copy", base / "zenml")
    shutil.rmtree(base, ignore_errors=True)


@dataclass(frozen=True)
class FirstRun:
    """What the smoke configuration printed and left when it was run from nothing."""

    output: str
    recomputed: set[str]
    versions: set[tuple[str, ...]]


@pytest.fixture(scope="session")
def first_run(project: Project) -> FirstRun:
    """The first training in the copy."""
    output = project.train().stdout
    return FirstRun(output, project.recomputed(), project.versions())


@pytest.fixture
def trained(project: Project, first_run: FirstRun) -> Project:
    """The copy after its first training, and whatever tests did to it since."""
    return project


@dataclass(frozen=True)
class Tracked:
    """ZenML of this process in a folder of its own, its active stack tracking with a real MLflow server.

    Attributes:
        folder: Where tests work: what is kept for MLflow lies in its .cache.
        environment: For a process that uses the same ZenML.
        server: Tests that stop it start it again.
    """

    folder: Path
    environment: dict[str, str]
    server: MlflowServer


@pytest.fixture(scope="session")
def tracked_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracked]:
    """The stack `tracked`; its pipelines run in this process, those of `project` in others."""
    from zenml.client import Client
    from zenml.config.global_config import GlobalConfiguration
    from zenml.enums import StackComponentType

    from retrieval.telemetry import telemetry_off

    base = tmp_path_factory.mktemp("tracked")
    server = MlflowServer(base / "mlflow")
    environment = {"ZENML_CONFIG_PATH": str(base / "zenml"), "ZENML_DISABLE_STEP_LOGS_STORAGE": "true"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setenv("MLFLOW_TRACKING_URI", server.uri)
        telemetry_off()
        GlobalConfiguration._reset_instance()
        Client._reset_instance()
        server.start()
        try:
            client = Client()
            client.create_stack_component(
                name="server",
                flavor="mlflow",
                component_type=StackComponentType.EXPERIMENT_TRACKER,
                configuration={"tracking_uri": server.uri, "tracking_username": "any", "tracking_password": "any"},
            )
            parts = client.get_stack("default", allow_name_prefix_match=False).components
            names = {kind: found[0].id for kind, found in parts.items()}
            client.create_stack("tracked", {**names, StackComponentType.EXPERIMENT_TRACKER: "server"})
            client.activate_stack("tracked")
            yield Tracked(base, {**os.environ, **environment, "PYTHONPATH": str(ROOT)}, server)
        finally:
            server.kill()
            GlobalConfiguration._reset_instance()
            Client._reset_instance()


@pytest.fixture
def inside_tracked(tracked_stack: Tracked, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in the sandbox, and leave a server that runs."""
    monkeypatch.chdir(tracked_stack.folder)
    yield
    if tracked_stack.server.process is None:
        tracked_stack.server.start()


@pytest.fixture(scope="session")
def pool(tracked_stack: Tracked) -> Pool:
    """Five versions of all three models."""
    from tests.integration.production import make_pool

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tracked_stack.folder)
        return make_pool()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server with the buckets `folders` and `team`, shared by all tests; none of them stops it."""
    server = new_server(tmp_path_factory.mktemp("s3"))
    server.start("folders", "team")
    yield server
    remove(server)
