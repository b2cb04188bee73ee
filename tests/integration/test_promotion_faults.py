"""Changes of production that meet each other, are killed, or find MLflow away."""

from __future__ import annotations

import subprocess
import sys

import pytest
from mlflow import MlflowClient
from zenml.client import Client
from zenml.enums import ModelStages

from pipelines import promotion
from registry import ledger
from registry.errors import PromotionError
from registry.reconcile import before_it, production_name, reconcile
from registry.versions import RETRIEVER
from tests.integration.conftest import ROOT, Tracked
from tests.integration.production import Pool, arrange, assert_production, promote
from tests.integration.small_run import EXPERIMENT
from tracking.errors import TrackingError

pytestmark = pytest.mark.usefixtures("inside_tracked")


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(tracked_stack: Tracked, pool: Pool) -> None:
    arrange(pool.first)
    names = [pool.second, pool.third]
    done = moved(tracked_stack, "race", str(ledger.next_number()), pool.first, *names)
    (winner,) = [name for name in names if f"{name} moved\n" in done]
    (loser,) = [name for name in names if name != winner]
    assert f"{loser} told: legal-retriever {loser}: not moved, because production changed in the meantime" in done
    reconcile(EXPERIMENT)
    assert_production(tracked_stack.server.uri, winner)
    assert before_it(winner) == pool.first


def test_a_promotion_judged_before_another_came_ends_with_that_error(
    tracked_stack: Tracked, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrange(pool.first, staging=pool.second)
    monkeypatch.setattr(promotion, "next_number", lambda: ledger.changes()[-1].number)
    with pytest.raises(PromotionError, match=f"it was judged against {pool.first}, so type the same command again"):
        promote()
    assert_production(tracked_stack.server.uri, pool.first)


def test_a_promotion_killed_before_or_after_its_first_half_is_consistent_after_the_next_command(
    tracked_stack: Tracked, pool: Pool
) -> None:
    arrange(pool.first)
    early, late, number = pool.second, pool.third, ledger.next_number()
    points = [f"record:{number}:{early}", f"set_stage:{number + 1}:{early}", f"finish:{number + 2}:{late}"]
    done = moved(tracked_stack, "kill", pool.first, *points)
    assert done.count("ended by signal 9") == 3
    client = MlflowClient(tracked_stack.server.uri, tracked_stack.server.uri)
    half = client.get_model_version_by_alias(RETRIEVER, "production")
    assert (production_name(), half.tags["zenml.version"]) == (late, pool.first)
    promote(show=True)
    assert_production(tracked_stack.server.uri, late)
    assert before_it(late) == pool.first
    assert [change.done for change in ledger.changes()[-3:]] == [False, False, True]


def test_without_mlflow_nothing_is_promoted_and_a_hand_is_followed_once_it_is_back(
    tracked_stack: Tracked, pool: Pool
) -> None:
    arrange(pool.first, staging=pool.second)
    tracked_stack.server.kill()
    with pytest.raises(TrackingError, match="Connection refused"):
        promote()
    assert production_name() == pool.first
    Client().update_model_version(RETRIEVER, pool.second, stage=ModelStages.PRODUCTION, force=True)
    promote(show=True)  # only tells that MLflow is away
    tracked_stack.server.start()
    promote(show=True)
    assert_production(tracked_stack.server.uri, pool.second)


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
