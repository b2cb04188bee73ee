"""Production as people change it: gated, refused, rolled back, by hand, and from MLflow."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from pipelines import promotion
from registry import ledger
from registry.reconcile import before_it, production_name, reconcile
from registry.versions import MAIN, RETRIEVER, artifact_of, find_version, record
from retrieval.errors import ConfigError
from retrieval.folders import MANIFEST
from tests.integration.conftest import Tracked
from tests.integration.production import Pool, arrange, assert_production, damaged_weights, promote
from tests.integration.small_run import CONFIG, EXPERIMENT

pytestmark = pytest.mark.usefixtures("inside_tracked")


def test_a_promotion_passes_every_gate_and_moves_stages_and_aliases_of_all_models(
    tracked_stack: Tracked, pool: Pool
) -> None:
    arrange(pool.first, staging=pool.second)
    outcome = promote()
    assert outcome.code == 0
    text = "\n".join(outcome.lines)
    assert f"{pool.second} is in production in place of {pool.first}" in text
    for rule in (
        "floor",
        "gain over BM25",
        "against production",
        "on 60 queries",
        "the bundle loads",
        "within the budget",
    ):
        assert rule in text
    assert_production(tracked_stack.server.uri, pool.second)
    facts = find_version(pool.second).run_metadata
    assert facts["promotion"] == "passed"
    assert facts["previous_production"] == pool.first
    client = MlflowClient(tracked_stack.server.uri, tracked_stack.server.uri)
    assert "staging" not in client.get_registered_model(RETRIEVER).aliases


def test_a_worse_version_is_refused_and_its_decision_kept(tracked_stack: Tracked, pool: Pool) -> None:
    arrange(pool.first, staging=pool.worse)
    outcome = promote()
    assert outcome.code == 1
    assert "was refused; production stays as it was" in outcome.lines[0]
    assert "a significant loss" in "\n".join(outcome.lines)
    assert_production(tracked_stack.server.uri, pool.first)
    refused = find_version(pool.worse)
    assert refused.stage == "staging"
    assert refused.run_metadata["promotion"] == "refused"
    decision = artifact_of(refused, "promotion_decision").load()
    assert not decision.passed
    assert decision.values["difference_to_production"] == pytest.approx(-0.25)


def test_a_damaged_bundle_is_refused(pool: Pool) -> None:
    arrange(pool.first, staging=pool.fragile)
    with damaged_weights(pool.fragile):
        outcome = promote()
    assert outcome.code == 1
    assert re.search(rf"the bundle does not load: .*safetensors: SHA-256 \w+ but {MANIFEST} says", outcome.lines[-2])
    assert production_name() == pool.first


def test_a_version_above_the_latency_budget_is_refused(pool: Pool) -> None:
    arrange(pool.first, staging=pool.second)
    gates = CONFIG.gates.model_copy(update={"latency_budget_seconds": 1e-9})
    outcome = promotion.run(CONFIG.model_copy(update={"gates": gates}), cache=True)
    assert outcome.code == 1
    assert "above the budget of 1e-09 s" in outcome.lines[-1]
    assert production_name() == pool.first


def test_a_rollback_returns_to_the_version_before_and_then_to_the_one_before_that(
    tracked_stack: Tracked, pool: Pool
) -> None:
    arrange(pool.first, pool.second, pool.third)
    for now, previous in ((pool.third, pool.second), (pool.second, pool.first)):
        outcome = promote(rollback=True)
        assert outcome.lines == [f"legal-retriever {previous} is in production again, {now} is archived"]
        assert_production(tracked_stack.server.uri, previous)
        assert find_version(now).stage == "archived"
        assert find_version(previous).run_metadata["rollback"] == "passed"
        assert "rolled back" in artifact_of(find_version(now), "promotion_decision").load().reasons[0]


def test_the_first_version_ever_in_production_has_nothing_to_roll_back_to(pool: Pool) -> None:
    arrange(pool.first)
    record(find_version(pool.first), {"previous_production": ""})
    with pytest.raises(ConfigError, match="is the first in production; there is none before it"):
        promote(rollback=True)


def test_a_stage_typed_by_hand_is_followed_by_models_aliases_and_rollback(tracked_stack: Tracked, pool: Pool) -> None:
    from zenml.cli.cli import cli

    arrange(pool.first)
    worse = pool.worse  # a hand needs no gate
    typed = CliRunner().invoke(cli, ["model", "version", "update", RETRIEVER, worse, "-s", "production", "-f"])
    assert typed.exit_code == 0, typed.output
    assert find_version("production").name == worse
    promote(show=True)
    assert_production(tracked_stack.server.uri, worse)
    assert before_it(worse) == pool.first
    assert ledger.changes()[-1].kind == "by hand"
    assert promote(rollback=True).code == 0
    assert_production(tracked_stack.server.uri, pool.first)


def test_an_alias_set_in_mlflow_is_judged_and_followed_by_zenml(tracked_stack: Tracked, pool: Pool) -> None:
    arrange(pool.first, staging=pool.third)
    client = MlflowClient(tracked_stack.server.uri, tracked_stack.server.uri)
    (there,) = client.search_model_versions(f"name='{RETRIEVER}' and tags.`zenml.version` = '{pool.second}'")
    client.set_registered_model_alias(RETRIEVER, "production", there.version)
    assert promote(version="mlflow:production").code == 0
    assert_production(tracked_stack.server.uri, pool.second)
    with pytest.raises(ConfigError, match="has no alias champion; known: "):
        promote(version="mlflow:champion")


def test_an_alias_moved_in_mlflow_without_a_command_goes_back(tracked_stack: Tracked, pool: Pool) -> None:
    arrange(pool.first)
    client = MlflowClient(tracked_stack.server.uri, tracked_stack.server.uri)
    for model in MAIN:
        client.delete_registered_model_alias(model, "production")
    reconcile(EXPERIMENT)
    assert_production(tracked_stack.server.uri, pool.first)


def test_show_tells_who_replaced_whom_after_two_promotions_and_a_rollback(pool: Pool) -> None:
    arrange(pool.first, pool.second, pool.third)
    assert promote(rollback=True).code == 0
    assert [change.version for change in ledger.changes()[-3:]] == [pool.second, pool.third, pool.second]
    shown = {name: "\n".join(promote(show=True, version=name).lines) for name in (pool.second, pool.third)}
    when = r"\n  \d{4}-\d\d-\d\d \d\d:\d\d UTC  "
    came, went = f"took the place of {pool.second} \\(promotion\\)", f"gave way to {pool.second} \\(rollback\\)"
    assert re.search(f"\nProduction\n(.*\n)*{when[2:]}{came}{when}{went}\n", shown[pool.third])
    back = (
        f"took the place of {pool.first} \\(promotion\\)",
        f"gave way to {pool.third} \\(promotion\\)",
        f"took the place of {pool.third} \\(rollback\\)",
    )
    assert re.search("".join(f"{when}{line}" for line in back) + "\n", shown[pool.second])
    assert f"Rollback: passed\n  - rolled back from version {pool.third} to version {pool.second}" in shown[pool.second]
