"""Production as people change it: gated, refused, rolled back, by hand, from MLflow, at once, and cut short."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from zenml.client import Client

from pipelines import promotion
from pipelines.results import Outcome
from retrieval.config import Config
from retrieval.errors import ConfigError, PromotionError, TrackingError
from retrieval.folders import MANIFEST
from steps.promotion import ledger
from steps.promotion.settling import before_it, production_name, settle
from steps.promotion.versions import MAIN, RETRIEVER, artifact_of, find_version, versions
from tests.integration.conftest import ROOT, Tracked
from tests.integration.small_run import CONFIG, EXPERIMENT, small_pipeline

seeds = count(100)


@pytest.fixture(autouse=True)
def inside(tracked_stack: Tracked, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tracked_stack.folder)
    yield
    if tracked_stack.server.process is None:
        tracked_stack.server.start()


def staged(share: float = 0.8) -> str:
    """A new version in staging, which finds that share of the questions."""
    assert small_pipeline(seed=next(seeds), share=share) is not None
    return find_version("staging").name


def promote(**changes: object) -> Outcome:
    return promotion.run(configured(**changes), cache=True)


def configured(**changes: object) -> Config:
    return CONFIG.model_copy(update={"promotion": CONFIG.promotion.model_copy(update=changes)})


def promoted() -> str:
    """A new version in production, brought there by the command."""
    version = staged()
    assert promote().code == 0
    return version


def assert_production(server: str, version: str) -> None:
    """ZenML and MLflow agree about all three models."""
    client = MlflowClient(server, server)
    assert production_name() == version
    for model in MAIN:
        (inside,) = [one for one in versions(model) if one.stage == "production"]
        assert client.get_model_version_by_alias(model, "production").tags["zenml.version_id"] == str(inside.id)
    facts = find_version(version).run_metadata
    assert find_version("production", "legal-bi-encoder").name == facts["bi_encoder_version"]
    assert find_version("production", "legal-cross-encoder").name == facts["cross_encoder_version"]
    assert [change.version for change in ledger.changes() if change.done][-1] == version


def test_a_promotion_passes_every_gate_and_moves_stages_and_aliases_of_all_models(tracked_stack: Tracked) -> None:
    before, version = promoted(), staged()
    outcome = promote()
    assert outcome.code == 0
    text = "\n".join(outcome.lines)
    assert f"{version} is in production in place of {before}" in text
    for rule in (
        "floor",
        "gain over BM25",
        "against production",
        "on 60 queries",
        "the bundle loads",
        "within the budget",
    ):
        assert rule in text
    assert_production(tracked_stack.server.uri, version)
    facts = find_version(version).run_metadata
    assert facts["promotion"] == "passed"
    assert facts["previous_production"] == before
    client = MlflowClient(tracked_stack.server.uri, tracked_stack.server.uri)
    assert "staging" not in client.get_registered_model(RETRIEVER).aliases


def test_a_worse_version_is_refused_and_its_decision_kept(tracked_stack: Tracked) -> None:
    before, version = promoted(), staged(share=0.55)
    outcome = promote()
    assert outcome.code == 1
    assert "was refused; production stays as it was" in outcome.lines[0]
    assert "a significant loss" in "\n".join(outcome.lines)
    assert_production(tracked_stack.server.uri, before)
    refused = find_version(version)
    assert refused.stage == "staging"
    assert refused.run_metadata["promotion"] == "refused"
    decision = artifact_of(refused, "promotion_decision").load()
    assert not decision.passed
    assert decision.values["difference_to_production"] == pytest.approx(-0.25)


def test_a_damaged_bundle_is_refused(tracked_stack: Tracked) -> None:
    before, version = promoted(), staged()
    kept = Path(artifact_of(find_version(version), "retriever").uri) / "content"
    weights = next(kept.rglob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.unlink()  # MLflow's copy is a link to the same file
    weights.write_bytes(content)
    outcome = promote()
    assert outcome.code == 1
    assert re.search(rf"the bundle does not load: .*safetensors: SHA-256 \w+ but {MANIFEST} says", outcome.lines[-2])
    assert production_name() == before


def test_a_version_above_the_latency_budget_is_refused(tracked_stack: Tracked) -> None:
    before = promoted()
    staged()
    gates = CONFIG.gates.model_copy(update={"latency_budget_seconds": 1e-9})
    outcome = promotion.run(CONFIG.model_copy(update={"gates": gates}), cache=True)
    assert outcome.code == 1
    assert "above the budget of 1e-09 s" in outcome.lines[-1]
    assert production_name() == before


def test_a_rollback_returns_to_the_version_before_and_then_to_the_one_before_that(tracked_stack: Tracked) -> None:
    first, second, third = promoted(), promoted(), promoted()
    for now, previous in ((third, second), (second, first)):
        outcome = promote(rollback=True)
        assert outcome.lines == [f"legal-retriever {previous} is in production again, {now} is archived"]
        assert_production(tracked_stack.server.uri, previous)
        assert find_version(now).stage == "archived"
        assert find_version(now).run_metadata["rolled_back_to"] == previous
        assert "rolled back" in artifact_of(find_version(now), "promotion_decision").load().reasons[0]


def test_the_first_version_ever_in_production_has_nothing_to_roll_back_to(tracked_stack: Tracked) -> None:
    promoted()
    while before_it(production_name()):
        promote(rollback=True)
    with pytest.raises(ConfigError, match="is the first in production; there is none before it"):
        promote(rollback=True)


def test_a_stage_typed_by_hand_is_followed_by_models_aliases_and_rollback(tracked_stack: Tracked) -> None:
    from zenml.cli.cli import cli

    before, version = promoted(), staged(share=0.6)  # worse: a hand needs no gate
    typed = CliRunner().invoke(cli, ["model", "version", "update", RETRIEVER, version, "-s", "production", "-f"])
    assert typed.exit_code == 0, typed.output
    assert find_version("production").name == version
    promote(show=True)
    assert_production(tracked_stack.server.uri, version)
    assert before_it(version) == before
    assert ledger.changes()[-1].kind == "by hand"
    assert promote(rollback=True).code == 0
    assert_production(tracked_stack.server.uri, before)


def test_an_alias_set_in_mlflow_is_judged_and_followed_by_zenml(tracked_stack: Tracked) -> None:
    promoted()
    version = staged()
    staged()  # another one is in staging now
    client = MlflowClient(tracked_stack.server.uri, tracked_stack.server.uri)
    (there,) = client.search_model_versions(f"name='{RETRIEVER}' and tags.`zenml.version` = '{version}'")
    client.set_registered_model_alias(RETRIEVER, "production", there.version)
    assert promote(version="mlflow:production").code == 0
    assert_production(tracked_stack.server.uri, version)
    with pytest.raises(ConfigError, match="has no alias champion; known: "):
        promote(version="mlflow:champion")


def test_an_alias_moved_in_mlflow_without_a_command_goes_back(tracked_stack: Tracked) -> None:
    version, client = promoted(), MlflowClient(tracked_stack.server.uri, tracked_stack.server.uri)
    for model in MAIN:
        client.delete_registered_model_alias(model, "production")
    settle(EXPERIMENT)
    assert_production(tracked_stack.server.uri, version)


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(tracked_stack: Tracked) -> None:
    before = promoted()
    names = [staged(), staged()]
    done = moved(tracked_stack, "race", str(ledger.next_number()), before, *names)
    (winner,) = [name for name in names if f"{name} moved\n" in done]
    (loser,) = [name for name in names if name != winner]
    assert f"{loser} told: legal-retriever {loser}: not moved, because another change of production came first" in done
    settle(EXPERIMENT)
    assert_production(tracked_stack.server.uri, winner)
    assert before_it(winner) == before
    assert find_version(loser).run_metadata.get("previous_production") is None


def test_a_promotion_judged_before_another_came_ends_with_that_error(
    tracked_stack: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = promoted()
    staged()
    monkeypatch.setattr(promotion, "next_number", lambda: ledger.changes()[-1].number)
    with pytest.raises(PromotionError, match=f"it was judged against {before}, so type the same command again"):
        promote()
    assert_production(tracked_stack.server.uri, before)


def test_a_promotion_killed_before_or_after_its_first_half_is_consistent_after_the_next_command(
    tracked_stack: Tracked,
) -> None:
    before, number = promoted(), ledger.next_number()
    early, late = staged(), staged()
    points = [f"record:{number}:{early}", f"set_stage:{number + 1}:{early}", f"finish:{number + 2}:{late}"]
    done = moved(tracked_stack, "kill", before, *points)
    assert done.count("ended by signal 9") == 3
    client = MlflowClient(tracked_stack.server.uri, tracked_stack.server.uri)
    assert client.get_model_version_by_alias(RETRIEVER, "production").tags["zenml.version"] == before  # half done
    assert production_name() == late
    promote(show=True)
    assert_production(tracked_stack.server.uri, late)
    assert before_it(late) == before
    assert [change.done for change in ledger.changes()[-3:]] == [False, False, True]
    assert promote(rollback=True).code == 0
    assert_production(tracked_stack.server.uri, before)


def test_without_mlflow_nothing_is_promoted_and_a_hand_is_followed_once_it_is_back(tracked_stack: Tracked) -> None:
    from zenml.enums import ModelStages

    before, version = promoted(), staged()
    tracked_stack.server.kill()
    with pytest.raises(TrackingError, match="Connection refused"):
        promote()
    assert production_name() == before
    Client().update_model_version(RETRIEVER, version, stage=ModelStages.PRODUCTION, force=True)
    promote(show=True)  # only tells that MLflow is away
    tracked_stack.server.start()
    promote(show=True)
    assert_production(tracked_stack.server.uri, version)


def moved(tracked: Tracked, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.movers", *arguments],
        cwd=ROOT,
        env=tracked.environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout
