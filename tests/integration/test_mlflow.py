"""What a run leaves in a real MLflow server, and what happens when that server goes away."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient, artifacts, set_tracking_uri
from mlflow.entities import Run
from zenml.client import Client
from zenml.models import PipelineRunResponse

from pipelines.with_tracking import tracking_ready, unsent
from registry.versions import BI_ENCODER, CROSS_ENCODER, MAIN, RETRIEVER, artifact_of, find_version, versions
from retrieval.folders import MANIFEST
from retrieval.models.bi_encoder import load_bi_encoder
from retrieval.models.cross_encoder import load_cross_encoder
from tests.integration.conftest import ROOT, Tracked
from tests.integration.small_run import CONFIG, DURING, EPOCHS, EXPERIMENT, small_pipeline
from tracking.errors import TrackingError
from tracking.runs import git_commit

pytestmark = pytest.mark.usefixtures("inside_tracked")


@pytest.fixture
def interrupts() -> Iterator[list[Callable[[], None]]]:
    """What happens while a step of the small pipeline computes."""
    yield DURING
    DURING.clear()


@pytest.fixture
def client(tracked_stack: Tracked) -> MlflowClient:
    set_tracking_uri(tracked_stack.server.uri)
    return MlflowClient(tracked_stack.server.uri, tracked_stack.server.uri)


@pytest.fixture(scope="module")
def first(tracked_stack: Tracked) -> PipelineRunResponse:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tracked_stack.folder)
        run = small_pipeline(seed=1, share=0.8)
    assert run is not None
    return run


def mlflow_run(client: MlflowClient, run: PipelineRunResponse) -> Run:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    (found,) = client.search_runs([experiment.experiment_id], f"tags.`zenml.run_id` = '{run.id}'")
    return found


def losses(client: MlflowClient, run: Run) -> dict[int, float]:
    """Loss by epoch; each must have been taken once."""
    history = client.get_metric_history(run.info.run_id, "bi_encoder/epoch_loss")
    assert len({one.step for one in history}) == len(history)
    return {one.step: one.value for one in history}


def files_of(client: MlflowClient, run_id: str, path: str) -> set[str]:
    return {one.path for one in client.list_artifacts(run_id, path)}


def test_a_run_has_parameters_metrics_of_each_epoch_system_metrics_and_where_it_came_from(
    client: MlflowClient, first: PipelineRunResponse
) -> None:
    run = mlflow_run(client, first)
    assert losses(client, run) == dict(enumerate(EPOCHS, start=1))
    assert run.data.params["bi_encoder.training.learning_rate"] == str(CONFIG.bi_encoder.training.learning_rate)
    assert run.data.params["seed"] == str(CONFIG.seed)
    assert run.data.params["data_version"] == run.data.tags["data_version"] == "data of 1"
    assert 0 < run.data.metrics["system/system_memory_usage_percentage"] <= 100
    assert run.data.tags["zenml.run_name"] == first.name == run.info.run_name
    assert run.data.tags["zenml.stack"] == "tracked"
    assert run.data.tags.get("mlflow.source.git.commit", "") == git_commit(ROOT)
    assert run.info.status == "FINISHED"


def test_reports_and_pictures_are_files_of_the_run(client: MlflowClient, first: PipelineRunResponse) -> None:
    run = mlflow_run(client, first)
    names = {Path(path).name for path in files_of(client, run.info.run_id, "bi-encoder")}
    assert {"report.html", "metrics.json", "predictions.csv", "failed_cases.csv"} <= names
    page = Path(client.download_artifacts(run.info.run_id, "bi-encoder/report.html")).read_text(encoding="utf-8")
    assert "<svg" in page


def test_both_models_are_registered_as_plain_folders_that_the_library_loads(
    client: MlflowClient, first: PipelineRunResponse
) -> None:
    for model, load in ((BI_ENCODER, load_bi_encoder), (CROSS_ENCODER, load_cross_encoder)):
        folder = Path(artifacts.download_artifacts(f"models:/{model}@staging"))
        assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= {".json", ".safetensors", ".txt"}
        kept = Path(artifact_of(find_version("staging", model), MAIN[model]).uri) / "content"
        assert (folder / MANIFEST).read_bytes() == (kept / MANIFEST).read_bytes()
        load(folder)  # checks every file against that manifest


def test_versions_name_their_mlflow_run_and_mlflow_names_theirs(
    client: MlflowClient, first: PipelineRunResponse
) -> None:
    run = mlflow_run(client, first)
    for model in (BI_ENCODER, CROSS_ENCODER, RETRIEVER):
        version = find_version("staging", model)
        there = client.get_model_version_by_alias(model, "staging")
        assert version.run_metadata["mlflow_run_id"] == there.run_id == run.info.run_id
        assert version.run_metadata["mlflow_version"] == str(there.version)
        assert there.tags["zenml.version"] == version.name == run.data.tags[f"zenml.model.{model}"]
        assert there.tags["zenml.version_id"] == str(version.id)
    step = first.steps["make_models"]
    assert Client().get_run_step(step.id).run_metadata["mlflow_run_id"] == run.info.run_id


def test_a_server_that_is_away_is_one_clear_error_before_anything_starts(tracked_stack: Tracked) -> None:
    tracked_stack.server.kill()
    with pytest.raises(TrackingError, match=r"MLflow at http://127.0.0.1:\d+ .*Connection refused; start it there, or"):
        tracking_ready(CONFIG)


def test_a_server_that_goes_away_while_a_step_computes_costs_nothing(
    tracked_stack: Tracked,
    client: MlflowClient,
    interrupts: list[Callable[[], None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    interrupts.append(tracked_stack.server.kill)
    run = small_pipeline(seed=2, share=0.8)
    assert run is not None
    assert Client().get_pipeline_run(run.id).status == "completed"
    assert "the next command sends them" in caplog.text
    listed = "\n".join(unsent())
    assert run.name in listed
    assert "metrics" in listed
    assert "1 report folder" in listed

    tracked_stack.server.start()
    tracking_ready(CONFIG)
    sent = mlflow_run(client, run)
    assert losses(client, sent) == dict(enumerate(EPOCHS, start=1))
    assert sent.info.status == "FINISHED"
    assert sent.data.tags["data_version"] == "data of 2"
    assert "report.html" in {Path(path).name for path in files_of(client, sent.info.run_id, "bi-encoder")}
    assert unsent() == []
    assert not list((tracked_stack.folder / ".cache/tracking").iterdir())
    newest = versions(BI_ENCODER)[0]
    there = client.get_model_version_by_alias(BI_ENCODER, "staging")
    assert there.tags["zenml.version"] == newest.name
    assert there.run_id == sent.info.run_id


def test_the_record_of_a_killed_run_is_sent_once_and_its_run_is_closed(
    tracked_stack: Tracked, client: MlflowClient, first: PipelineRunResponse
) -> None:
    lines = [
        {"uri": tracked_stack.server.uri, "facts": {"zenml_id": "killed", "name": "killed", "experiment": EXPERIMENT}},
        *(
            {"metric": "bi_encoder/epoch_loss", "value": loss, "step": n, "at": 1000 + n}
            for n, loss in enumerate(EPOCHS)
        ),
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"metric": "cut sho'
    for _ in range(2):  # a kill while it was sent has it sent again
        (tracked_stack.folder / ".cache/tracking").mkdir(parents=True, exist_ok=True)
        (tracked_stack.folder / ".cache/tracking/killed.jsonl").write_text(text, encoding="utf-8")
        tracking_ready(CONFIG)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    (run,) = client.search_runs([experiment.experiment_id], "tags.`zenml.run_id` = 'killed'")
    assert losses(client, run) == dict(enumerate(EPOCHS))
    assert run.info.status == "KILLED"
