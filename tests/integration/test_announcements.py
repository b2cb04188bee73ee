"""What the alerter of a stack is told about small runs: one start, the failing step, and failures outside the steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import pytest
from zenml import pipeline, step
from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.enums import ExecutionMode, StackComponentType
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.stack import Stack

from pipelines.launch import HandedOver
from pipelines.results import Outcome
from pipelines.with_alerts import failures_announced, with_alerts
from pipelines.with_pushes import failures_pushed, with_pushes
from registry.announcements import duration_text
from retrieval.config.schema import Config, MonitoringConfig
from stacks.alerters import register
from stacks.choice import use_for_this_process
from tests.helpers.monitoring_servers import needs_pushgateway, pipeline_samples, pushgateway
from tests.helpers.stub_bot_api import CHAT, TOKEN, StubBotApi, error, serving


class Unsavable:
    """A value whose artifact store is always full."""


class UnsavableMaterializer(BaseMaterializer):
    ASSOCIATED_TYPES = (Unsavable,)

    def save(self, data: Any) -> None:
        raise OSError("No space left on device")


@step
def first_step() -> Annotated[int, "first_number"]:
    return 1


@step(enable_cache=False)
def second_step(number: int, fault: str) -> Annotated[int, "second_number"]:
    if fault:
        raise ValueError(fault)
    return number


@step(output_materializers=UnsavableMaterializer)
def unsavable_step() -> Unsavable:
    return Unsavable()


@pipeline(execution_mode=ExecutionMode.FAIL_FAST)
def two_steps(fault: str) -> None:
    second_step(first_step(), fault)


@pipeline(execution_mode=ExecutionMode.FAIL_FAST)
def unsavable() -> None:
    unsavable_step()


@pytest.fixture(scope="module")
def bot() -> Iterator[StubBotApi]:
    with serving() as stub:
        yield stub


@pytest.fixture(scope="module")
def stack_with_alerter(bot: StubBotApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UUID]:
    """A ZenML home of its own, whose active stack posts to the stub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZENML_CONFIG_PATH", str(tmp_path_factory.mktemp("zenml")))
        patch.setenv("ZENML_ANALYTICS_OPT_IN", "false")
        patch.setenv("no_proxy", "127.0.0.1")
        patch.setenv(register.TOKEN, TOKEN)
        patch.setenv(register.CHAT, CHAT)
        patch.setenv(register.URL, bot.url)
        patch.setenv("ZENML_ACTIVE_STACK_ID", "")  # so that it is put back
        patch.delenv("ZENML_ACTIVE_STACK_ID")
        GlobalConfiguration._reset_instance()
        Client._reset_instance()
        client = Client()
        parts = client.get_stack("default").components
        kinds = (StackComponentType.ORCHESTRATOR, StackComponentType.ARTIFACT_STORE)
        alerter = register.register_telegram()
        made = client.create_stack("told", {**{kind: parts[kind][0].id for kind in kinds}, alerter.type: alerter.id})
        use_for_this_process(made)
        yield made.id
    GlobalConfiguration._reset_instance()
    Client._reset_instance()


@pytest.fixture
def told(bot: StubBotApi, stack_with_alerter: UUID) -> list[str]:
    """Messages of this test."""
    bot.delivered.clear()
    return bot.delivered


def run(fault: str = "") -> None:
    with failures_announced(two_steps):
        with_alerts(two_steps)(fault)


def test_registering_twice_keeps_one_component_and_the_token_only_in_the_secret(told: list[str]) -> None:
    register.register_telegram()
    client = Client()
    (component,) = client.list_stack_components(type=StackComponentType.ALERTER).items
    assert component.configuration["token"] == "{{telegram.token}}"
    assert client.get_secret("telegram").secret_values == {"token": TOKEN}


def test_the_start_is_told_once_however_many_steps_run(told: list[str]) -> None:
    run()
    assert [message.split("\n")[0] for message in told] == ["<b>two_steps started</b>"]
    newest = Client().list_pipeline_runs(sort_by="desc:created").items[0]
    assert f"id {newest.id}" in told[0]


def test_the_start_is_told_by_the_first_step_that_is_not_cached(told: list[str]) -> None:
    run()
    newest = Client().list_pipeline_runs(sort_by="desc:created", hydrate=True).items[0]
    assert newest.steps["first_step"].status == "cached"
    assert len(told) == 1


def test_a_failure_names_the_step_and_the_error_once(told: list[str], bot: StubBotApi) -> None:
    with pytest.raises(ValueError, match="row 17"):
        run("corpus.csv: row 17 has <no> text")
    assert len(told) == 2
    assert bot.shown[1].startswith("two_steps failed in step second_step after ")
    assert "ValueError: corpus.csv: row 17 has <no> text" in bot.shown[1]


@needs_pushgateway
def test_a_failure_is_told_and_pushed_where_both_are_wanted(
    told: list[str], bot: StubBotApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pushgateway(tmp_path) as server:
        monkeypatch.chdir(tmp_path)
        config = Config(monitoring=MonitoringConfig(pushgateway=server.url))
        wired = with_pushes(with_alerts(two_steps), config)
        with pytest.raises(ValueError, match="row 17"), failures_announced(wired), failures_pushed(wired, config):
            wired("row 17")
        assert pipeline_samples(server.url)['pipeline_run_success{pipeline="two_steps"}'] == 0
    assert [message.split(" after ")[0] for message in bot.shown[1:]] == ["two_steps failed in step second_step"]


def test_a_long_error_is_cut(told: list[str], bot: StubBotApi) -> None:
    with pytest.raises(ValueError, match="xxx"):
        run("x" * 9000)
    assert len(told) == 2
    assert 1500 < len(bot.shown[1]) < 1800


def test_a_failure_while_saving_is_told_too(told: list[str], bot: StubBotApi) -> None:
    with pytest.raises(OSError, match="No space left"), failures_announced(unsavable):
        with_alerts(unsavable)()
    assert bot.shown[0].startswith("unsavable started\n")
    assert len(told) == 2
    assert bot.shown[1].startswith("unsavable failed after ")
    assert "OSError: No space left on device" in bot.shown[1]


def test_a_pipeline_that_was_handed_over_is_no_failure(told: list[str]) -> None:
    with pytest.raises(ValueError, match="before"):
        run("before")
    told.clear()
    with pytest.raises(HandedOver), failures_announced(two_steps):
        raise HandedOver(Outcome(["DAG written"]))
    assert told == []


def test_an_error_before_any_run_does_not_tell_of_the_run_that_failed_before(told: list[str]) -> None:
    with pytest.raises(OSError, match="No space left"):
        with_alerts(unsavable)()  # nobody told of this one
    told.clear()
    with pytest.raises(ValueError, match="not connected"), failures_announced(unsavable):
        raise ValueError("not connected")
    assert told == []


def test_a_stack_without_an_alerter_leaves_the_pipeline_as_it_is(
    told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stack, "alerter", None)
    assert with_alerts(two_steps) is two_steps
    run()
    assert told == []


def test_a_bot_that_does_not_answer_fails_no_run(told: list[str], bot: StubBotApi) -> None:
    bot.scripted = [error(403, "Forbidden: bot was kicked")]
    run()
    assert told == []
    assert Client().list_pipeline_runs(sort_by="desc:created").items[0].status == "completed"


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.4, "8 s"), (59.7, "1 min 0 s"), (1512, "25 min 12 s"), (3720, "1 h 2 min")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
