"""The smoke pipeline on the stack `s3-mlflow`: a real MLflow server whose artifacts lie in the bucket of a real S3."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from mlflow import MlflowClient

from retrieval.s3.objects import get_json
from tests.helpers.s3_server import SECRET, S3Server
from tests.integration.conftest import Project, copy_project
from tests.integration.mlflow_server import MlflowServer
from tests.integration.published import assert_published, names_below

pytestmark = pytest.mark.slow  # a whole smoke run on both servers

BUCKET = "both"
EXPERIMENT = "legal-retrieval-smoke"
SMOKE = ("--config", "configs/smoke.yaml", "--stack", "s3-mlflow")
PUBLISHED = {"legal-bi-encoder": "bi-encoder", "legal-cross-encoder": "cross-encoder"}
MODELS = {*PUBLISHED, "legal-retriever"}


@dataclass(frozen=True)
class Trained:
    """A home that has trained on both servers, and what it printed."""

    project: Project
    mlflow: MlflowServer
    printed: str

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.mlflow.uri, self.mlflow.uri)

    @property
    def run_id(self) -> str:
        """Of the one MLflow run."""
        experiment = self.client.get_experiment_by_name(EXPERIMENT)
        (run,) = self.client.search_runs([experiment.experiment_id])
        return str(run.info.run_id)


@pytest.fixture(scope="module")
def trained(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    base = tmp_path_factory.mktemp("both")
    keys = {**s3_server.environment, "MLFLOW_S3_ENDPOINT_URL": s3_server.url}
    server = MlflowServer(base / "mlflow", f"s3://{BUCKET}/mlflow", keys)
    variables = {**s3_server.environment, "S3_BUCKET": BUCKET, "MLFLOW_TRACKING_URI": server.uri}
    copy_project(base / "copy")
    project = Project(base / "copy", base / "zenml", variables)
    try:
        server.start()
        registered = project.python("-m", "stacks.register", "s3-mlflow", "--create-bucket")
        done = project.run("--pipeline", "training", *SMOKE)
        yield Trained(project, server, "".join(one.stdout + one.stderr for one in (registered, done)))
    finally:
        server.kill()
        shutil.rmtree(base, ignore_errors=True)


def test_registering_asks_both_servers_and_shows_no_secret(trained: Trained) -> None:
    assert "FAILS" not in trained.printed
    assert "can be listed and written" in trained.printed
    assert trained.mlflow.uri in trained.printed
    assert SECRET not in trained.printed
    assert "Not in MLflow yet" not in trained.printed


def test_the_run_has_metrics_and_its_reports_are_in_the_bucket(trained: Trained, s3_server: S3Server) -> None:
    run = trained.client.get_run(trained.run_id)
    assert run.info.status == "FINISHED"
    ((zenml_run,),) = trained.project.query("select id from pipeline_run")
    assert run.data.tags["zenml.run_id"] == str(UUID(zenml_run))
    assert run.data.tags["zenml.stack"] == "s3-mlflow"
    assert {"bi_encoder/train_loss", "cross_encoder/train_loss", "test/reranked/mrr_at_10"} <= set(run.data.metrics)
    assert run.data.params["data.laws"] == "['45/2019/QH14']"
    below = names_below(s3_server, f"s3://{BUCKET}/mlflow/{run.info.experiment_id}/{run.info.run_id}/artifacts")
    assert {"bi-encoder/report.html", "cross-encoder/report.html"} <= below
    page = Path(trained.client.download_artifacts(run.info.run_id, "cross-encoder/report.html"))
    assert "<svg" in page.read_text(encoding="utf-8")


def test_models_are_registered_with_their_files_in_the_bucket_and_the_alias_of_their_stage(
    trained: Trained, s3_server: S3Server
) -> None:
    assert {model.name for model in trained.client.search_registered_models()} == MODELS
    rows = trained.project.query("select m.name, v.id, v.stage from model_version v join model m on v.model_id = m.id")
    staged = {model: str(UUID(version)) for model, version, stage in rows if stage == "staging"}
    assert set(staged) == MODELS
    for model in MODELS:
        version = trained.client.get_model_version_by_alias(model, "staging")
        assert version.tags["zenml.version_id"] == staged[model]
        assert version.run_id == trained.run_id
    experiment = trained.client.get_experiment_by_name(EXPERIMENT).experiment_id
    files = {Path(name).name for name in names_below(s3_server, f"s3://{BUCKET}/mlflow/{experiment}/models")}
    assert {"manifest.json", "settings.json", "model.safetensors", "parts.json"} <= files


def test_both_models_are_published_under_the_run_with_manifest_and_pointer(
    trained: Trained, s3_server: S3Server
) -> None:
    for model, folder in PUBLISHED.items():
        run = assert_published(s3_server, BUCKET, folder, {trained.run_id})
        settings = get_json(s3_server.client(), f"s3://{BUCKET}/{folder}/{run}/settings.json")
        assert settings["training_run_id"] == run
        assert trained.client.get_run(run).data.tags[f"zenml.model.{model}"] == "1"


def test_aliases_follow_a_promotion_and_the_version_that_was_pulled_is_production(
    trained: Trained, s3_server: S3Server, tmp_path: Path
) -> None:
    done = trained.project.run("--pipeline", "promotion", *SMOKE)
    assert "legal-retriever 1 is in production as the first" in done.stdout
    for model in MODELS:
        aliases = trained.client.get_registered_model(model).aliases
        assert {alias: str(number) for alias, number in aliases.items()} == {"production": "1"}
    arguments = ("--model", "bi-encoder", "--version", "production", "--to", str(tmp_path / "model"))
    pulled = trained.project.python("-m", "stacks.models", "pull", *arguments)
    assert f"fetched from s3://{BUCKET}/bi-encoder/{trained.run_id}" in pulled.stdout
