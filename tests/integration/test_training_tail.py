"""What a training does last, on small runs: its gate reads production when it decides, and its steps leave results."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
from zenml import pipeline, step
from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.enums import ExecutionMode, ModelStages
from zenml.models import PipelineRunResponse

from pipelines.evaluation import evaluation_pipeline
from pipelines.results import finished, kept_retriever, load_output
from registry.local import fetch as fetch_retriever
from registry.store import store_facts
from registry.versions import find_version, set_stage
from retrieval.folders import verify_folder
from retrieval.model_store import KEPT, facts_of, keep, kept_folder, kept_retrievers
from retrieval.records import Decision
from retrieval.telemetry import telemetry_off
from steps.evaluation.export_reports import export_reports
from steps.promotion.gate_retriever import gate_retriever
from steps.promotion.keep_retriever import keep_retriever
from steps.promotion.register_versions import register_versions
from tests.integration.small_run import CONFIG, make_models

ALWAYS = {"gate_retriever", "keep_retriever", "export_reports", "promote_meanwhile"}
SEED = 7


@step(enable_cache=False)
def promote_meanwhile(version: str) -> Annotated[str, "promoted"]:
    """Somebody promotes a version after the pipeline was handed over and before its gate decides."""
    if version:
        set_stage(find_version(version), ModelStages.PRODUCTION)
    return version


@pipeline(name="small_training", execution_mode=ExecutionMode.FAIL_FAST)
def small_training(seed: int, share: float, folder: str, promoted: str) -> None:
    models = make_models.with_options(enable_cache=True)
    encoder, reranker, retriever, runs, report, training, _ = models(seed, share)
    meanwhile = promote_meanwhile(promoted, after=[retriever])
    decision = gate_retriever(runs, CONFIG.gates, CONFIG.evaluation, SEED, after=[meanwhile])
    made = register_versions(
        encoder, reranker, retriever, runs, report, report, training, training, decision, CONFIG.tracking.experiment
    )
    keep_retriever(retriever, made, f"{folder}/models", "abc")
    export_reports(report, report, f"{folder}/reports")


@dataclass(frozen=True)
class Machine:
    """A ZenML home of its own, and the folder in which runs leave results."""

    folder: Path

    @property
    def models(self) -> Path:
        return self.folder / "models"

    def train(self, seed: int, share: float, promoted: str = "") -> PipelineRunResponse:
        return finished(small_training(seed=seed, share=share, folder=str(self.folder), promoted=promoted))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Version 1 is trained, nothing is in production."""
    base = tmp_path_factory.mktemp("tail")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZENML_CONFIG_PATH", str(base / "zenml"))
        patch.setenv("ZENML_DISABLE_STEP_LOGS_STORAGE", "true")
        patch.chdir(base)
        telemetry_off()
        GlobalConfiguration._reset_instance()
        Client._reset_instance()
        made = Machine(base / "left")
        made.train(1, 0.8)
        yield made
    GlobalConfiguration._reset_instance()
    Client._reset_instance()
    shutil.rmtree(base, ignore_errors=True)


def decision_of(run: PipelineRunResponse) -> Decision:
    return load_output(run, "gate_retriever", "decision")


def production_seen_by(run: PipelineRunResponse) -> object:
    return run.steps["gate_retriever"].run_metadata["production_version"]


def test_a_run_keeps_its_retriever_under_its_version_and_copies_its_reports(machine: Machine) -> None:
    (kept,) = kept_retrievers(machine.models)
    facts = facts_of(kept.folder)
    verify_folder(kept.folder)
    assert (kept.name, kept.version) == ("1", "1")
    assert facts.items() >= {**store_facts(), "bi_encoder": "1", "cross_encoder": "1", "code": "abc"}.items()
    assert facts["run"].startswith("small_training-")
    for name in ("bi-encoder", "cross-encoder"):
        assert (machine.folder / "reports" / name / "report.html").is_file()


def test_what_was_deleted_is_there_again_after_a_run_that_computes_nothing(machine: Machine) -> None:
    before = facts_of(machine.models / "1")
    shutil.rmtree(machine.models)
    shutil.rmtree(machine.folder / "reports")
    run = machine.train(1, 0.8)
    assert {name for name, one in run.steps.items() if one.status != "cached"} == ALWAYS
    assert facts_of(machine.models / "1").items() >= {**before, "kept": facts_of(machine.models / "1")["kept"]}.items()
    assert kept_folder("latest", machine.models).name == "1"
    assert (machine.folder / "reports/bi-encoder/report.html").is_file()


def test_the_gate_compares_with_what_was_promoted_after_the_pipeline_was_made(machine: Machine) -> None:
    first = machine.train(1, 0.8)
    assert production_seen_by(first) == "none"
    assert decision_of(first).reasons[-1].startswith("no production version yet")
    worse = machine.train(2, 0.55, promoted="1")
    assert production_seen_by(worse) == "1"
    assert not decision_of(worse).passed
    assert decision_of(worse).values["difference_to_production"] == pytest.approx(-0.25)
    assert load_output(worse, "register_versions", "versions")["staged"] == "no"


def test_production_and_the_newest_are_both_kept_and_found_by_their_stage(machine: Machine) -> None:
    made = machine.train(3, 0.9, promoted="1")
    newest = load_output(made, "register_versions", "versions")["legal-retriever"]
    assert kept_folder("production", machine.models).name == "1"
    assert kept_folder("staging", machine.models).name == newest
    assert load_output(made, "keep_retriever", "kept_retriever") == str(machine.models / newest)
    assert kept_retriever(made, {}) == str(machine.models / newest)


def test_what_was_trained_on_another_machine_is_fetched_by_its_stage_and_is_not_the_newest_here(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = machine.train(3, 0.9)
    shutil.copytree(machine.models / "1", tmp_path / KEPT / "1")
    other = keep(tmp_path / KEPT / "1", "5")
    assert fetch_retriever.main(["staging"]) == 0
    newest = load_output(run, "register_versions", "versions")["legal-retriever"]
    assert capsys.readouterr().out.splitlines()[-1] == f"kept in {KEPT / newest}"
    assert facts_of(KEPT / newest)["bi_encoder"] == facts_of(machine.models / newest)["bi_encoder"]
    assert kept_folder("staging") == KEPT / newest
    assert kept_folder("latest") == other
    assert fetch_retriever.main(["99"]) == 2


def test_an_evaluation_that_is_handed_over_holds_the_name_of_a_stage_and_not_what_is_in_it(
    machine: Machine, tmp_path: Path
) -> None:
    newest = load_output(machine.train(3, 0.9), "register_versions", "versions")["legal-retriever"]
    (tmp_path / "asked.csv").write_text("qid,question,cid\nq1,Hỏi?,[1]\n", encoding="utf-8")
    asked = CONFIG.evaluation.model_copy(update={"questions": tmp_path / "asked.csv"})
    set_stage(find_version("1"), ModelStages.PRODUCTION)
    evaluation_pipeline.prepare(CONFIG.model_copy(update={"evaluation": asked}), "production")
    later = evaluation_pipeline.invocations["score_questions"].client_lazy_loaders
    for version in ("1", newest):
        set_stage(find_version(version), ModelStages.PRODUCTION)
        assert later["retriever"].evaluate().id == find_version(version).get_artifact("retriever").id
        assert later["version"].evaluate() == version
