"""The smoke pipeline on the stack `s3` with a real server: what is in the bucket, what is cached, what is pulled."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from retrieval.folders import verify_folder, write_folder
from retrieval.model_store import facts_of
from tests.helpers.s3_server import SECRET, S3Server
from tests.integration.conftest import ALWAYS, ROOT, STEPS, Project, copy_project
from tests.integration.published import assert_published, names_below

pytestmark = pytest.mark.slow  # a whole smoke run on the store, and a second one from its cache

BUCKET = "team"


@dataclass(frozen=True)
class Team:
    """Two homes that share ZenML's database and the bucket; `first` has trained."""

    first: Project
    second: Project
    output: str
    registered: tuple[str, str]


@pytest.fixture(scope="module")
def team(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    base = tmp_path_factory.mktemp("team")
    variables = {**s3_server.environment, "S3_BUCKET": BUCKET}
    projects = []
    for name in ("first", "second"):
        copy_project(base / name)
        home = base / f"{name}-zenml"
        (base / "shared").mkdir(exist_ok=True)
        projects.append(Project(base / name, home, variables, base / "shared/zenml.db"))
    first, second = projects
    once = first.python("-m", "stacks.register", "s3")
    again = first.python("-m", "stacks.register", "s3")
    output = first.train("--stack", "s3")
    shown = "".join(done.stdout + done.stderr for done in (once, again, output))
    assert SECRET not in shown
    yield Team(first, second, output.stdout, (once.stdout, again.stdout))
    shutil.rmtree(base, ignore_errors=True)


def test_registering_twice_changes_nothing_and_every_component_answers(team: Team) -> None:
    assert team.registered[0] == team.registered[1]
    assert "can be listed and written" in team.registered[0]
    assert "FAILS" not in team.registered[0]
    assert team.first.query("select count(*) from stack where name = 's3'") == [(1,)]
    assert team.first.query("select count(*) from secret where name = 'legal_s3'") == [(1,)]


def test_no_credential_is_in_the_components(team: Team) -> None:
    rows = team.first.query("select configuration from stack_component")
    assert rows
    assert not [row for row in rows if SECRET in str(row)]


def test_every_artifact_picture_and_step_log_is_in_the_bucket(team: Team, s3_server: S3Server) -> None:
    there = names_below(s3_server, f"s3://{BUCKET}/zenml")
    uris = [uri for (uri,) in team.first.query("select uri from artifact_version")]
    prefix = f"s3://{BUCKET}/zenml/"
    assert len(uris) >= len(STEPS)
    assert all(uri.startswith(prefix) for uri in uris)
    for uri in uris:
        assert any(name.startswith(f"{uri.removeprefix(prefix)}/") for name in there), uri
    pictures = [uri for (uri,) in team.first.query("select uri from artifact_visualization")]
    assert pictures
    assert {uri.removeprefix(prefix) for uri in pictures} <= there
    # A step has further logs: of its preparation and of hooks, which are no file where a hook had nothing to say.
    own = "select r.name, l.uri from logs l join step_run r on r.id = l.step_run_id where l.source = 'step'"
    logs = {step: uri.removeprefix(prefix) for step, uri in team.first.query(own)}
    assert set(logs) == set(STEPS)
    store = s3_server.artifact_store(BUCKET)
    for step, name in logs.items():
        (file,) = [one for one in there if one.startswith(name)]
        with store.open(f"{prefix}{file}", "r") as stream:
            assert re.search(rf'"message":"{step}: .* in [0-9.]+ s"', stream.read()), step


def test_nothing_but_the_local_tracker_is_kept_in_the_home(team: Team) -> None:
    files = [path for path in team.first.home.rglob("*") if path.is_file()]
    assert [path for path in files if path.stat().st_size > 1_000_000] == []


def test_a_second_clean_home_that_shares_the_database_is_answered_from_the_cache(team: Team) -> None:
    assert team.first.recomputed() == set(STEPS)
    done = team.second.train("--stack", "s3")
    assert team.second.recomputed() == ALWAYS
    assert "\nreranked" in done.stdout
    assert (team.second.folder / "models/legal-retriever/1/retriever.json").is_file()


def test_a_retriever_kept_before_stores_were_told_apart_is_found_by_its_files_in_the_bucket(
    team: Team, tmp_path: Path
) -> None:
    kept = tmp_path / "models/legal-retriever"
    shutil.copytree(team.first.folder / "models/legal-retriever", kept)
    before = facts_of(kept / "1")
    with write_folder(kept / "1") as staging:
        shutil.copytree(kept / "1", staging, dirs_exist_ok=True, ignore=shutil.ignore_patterns("facts.json"))
    assert facts_of(kept / "1") == {"retriever": "1"}
    there = replace(team.second, folder=tmp_path, variables={**team.second.variables, "PYTHONPATH": str(ROOT)})
    assert before["store"] in there.python("-m", "registry.local.stages").stdout
    found = facts_of(kept / "1")
    assert [found[name] for name in ("store", "run")] == [before[name] for name in ("store", "run")]


def test_both_models_are_published_under_their_mlflow_run(team: Team, s3_server: S3Server) -> None:
    with sqlite3.connect(team.first.folder / "mlflow.db") as connection:
        runs = {run for (run,) in connection.execute("select run_uuid from runs")}
    for model in ("bi-encoder", "cross-encoder"):
        assert_published(s3_server, BUCKET, model, runs)


@pytest.mark.parametrize("version", ["staging", "1", "latest"])
def test_a_published_model_is_pulled_by_stage_number_and_pointer(team: Team, tmp_path: Path, version: str) -> None:
    arguments = ("--model", "bi-encoder", "--version", version, "--to", str(tmp_path / "model"))
    done = team.second.python("-m", "stacks.models", "pull", *arguments)
    assert "fetched from s3://team/bi-encoder/" in done.stdout
    verify_folder(tmp_path / "model")
    settings = json.loads((tmp_path / "model/settings.json").read_text())
    assert f"/{settings['training_run_id']}" in done.stdout


def test_a_machine_that_knows_only_the_bucket_pulls_the_latest_and_is_told_about_stages(
    team: Team, tmp_path: Path
) -> None:
    stranger = Project(team.first.folder, tmp_path / "zenml", team.first.variables)
    arguments = ("--model", "cross-encoder", "--to", str(tmp_path / "model"))
    stranger.python("-m", "stacks.models", "pull", *arguments, "--version", "latest")
    verify_folder(tmp_path / "model")
    refused = stranger.python("-m", "stacks.models", "pull", *arguments, "--version", "production", expect=2)
    assert "no version production in this ZenML" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_doctor_says_what_works_and_what_the_rest_lacks(team: Team) -> None:
    done = team.first.python("-m", "stacks.doctor")
    assert re.search(r"^s3 +works", done.stdout, flags=re.MULTILINE)
    assert re.search(r"^s3-mlflow +cannot be registered yet", done.stdout, flags=re.MULTILINE)
    assert "MLFLOW_TRACKING_URI is not set" in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_a_stack_that_was_not_registered_is_told_with_the_command(tmp_path: Path, team: Team) -> None:
    stranger = Project(team.first.folder, tmp_path / "zenml", team.first.variables)
    done = stranger.run("--pipeline", "data", "--stack", "s3", expect=2)
    assert "--stack s3: not registered yet; run `python -m stacks.register s3` first" in done.stderr
