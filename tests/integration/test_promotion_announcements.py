"""What the alerter of a stack is told about promotions and rollbacks, those that are refused too."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from zenml.client import Client
from zenml.enums import StackComponentType

from registry.reconcile import production_name
from stacks.alerters import register
from stacks.choice import use_for_this_process
from tests.helpers.stub_bot_api import CHAT, TOKEN, StubBotApi, serving
from tests.integration.conftest import Tracked
from tests.integration.production import Pool, arrange, damaged_weights, promote

pytestmark = pytest.mark.usefixtures("inside_tracked")


@pytest.fixture(scope="module")
def bot(tracked_stack: Tracked) -> Iterator[StubBotApi]:
    """Told by a stack that is the tracked one with an alerter, and is active in this module."""
    with serving() as stub, pytest.MonkeyPatch.context() as patch:
        for name, value in ((register.TOKEN, TOKEN), (register.CHAT, CHAT), (register.URL, stub.url)):
            patch.setenv(name, value)
        patch.setenv("no_proxy", "127.0.0.1")
        patch.setenv("ZENML_ACTIVE_STACK_ID", "")  # so that it is put back
        patch.delenv("ZENML_ACTIVE_STACK_ID")
        client = Client()
        parts = {kind: found[0].id for kind, found in client.get_stack("tracked").components.items()}
        alerter = register.register_telegram()
        use_for_this_process(client.create_stack("heard", {**parts, StackComponentType.ALERTER: alerter.id}))
        yield stub
        os.environ.pop("ZENML_ACTIVE_STACK_ID", None)


@pytest.fixture
def told(bot: StubBotApi) -> StubBotApi:
    """With no message of earlier tests."""
    bot.delivered.clear()
    return bot


def test_a_promotion_is_told_with_its_verdict_and_reasons(told: StubBotApi, pool: Pool) -> None:
    arrange(pool.first, staging=pool.second)
    assert promote().code == 0
    started, done = told.shown
    assert started.startswith("promotion started\nrun promotion-")
    assert done.startswith(f"promotion passed: legal-retriever {pool.second} (production)\ntook ")
    for part in ("\nPromotion: passed\n  - ", "the bundle loads", "\nTest\n  mrr@10 0.8000", "\nstack heard\n"):
        assert part in done


def test_a_refused_promotion_is_told_as_refused(told: StubBotApi, pool: Pool) -> None:
    arrange(pool.first, staging=pool.worse)
    assert promote().code == 1
    _, done = told.shown
    assert done.startswith(f"promotion refused: legal-retriever {pool.worse} (staging)\n")
    assert "a significant loss" in done


def test_a_rollback_tells_which_version_is_back_and_from_which(told: StubBotApi, pool: Pool) -> None:
    arrange(pool.first, pool.second)
    assert promote(rollback=True).code == 0
    started, done = told.shown
    assert started.startswith("rollback started\n")
    assert done.startswith(f"rollback from version {pool.second}: legal-retriever {pool.first} (production)\n")
    assert f"\nRollback: passed\n  - rolled back from version {pool.second} to version {pool.first}" in done


def test_a_rollback_to_a_damaged_version_is_told_as_refused(told: StubBotApi, pool: Pool) -> None:
    arrange(pool.first, pool.third, pool.second)
    with damaged_weights(pool.third):
        outcome = promote(rollback=True)
    assert outcome.code == 1
    assert production_name() == pool.second
    _, done = told.shown
    assert done.startswith(f"rollback refused, {pool.second} stays: legal-retriever {pool.third} (archived)\n")
    assert f"\nRollback: refused\n  - version {pool.third} does not load: " in done


def test_a_rollback_whose_version_cannot_be_moved_is_told_as_a_failure_once(
    told: StubBotApi, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines import promotion
    from registry import ledger
    from registry.errors import PromotionError

    arrange(pool.first, pool.second)
    monkeypatch.setattr(promotion, "next_number", lambda: ledger.changes()[-1].number)
    with pytest.raises(PromotionError, match="production changed in the meantime"):
        promote(rollback=True)
    _, failed = told.shown
    assert failed.startswith("rollback failed in step roll_back after ")
    assert "PromotionError: " in failed
