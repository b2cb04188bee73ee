"""The alerter against a Bot API server: what arrives, when it is tried again, and that the token is never shown."""

from __future__ import annotations

import logging
import socket
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from pydantic import SecretStr
from zenml.enums import StackComponentType

from stacks.alerters.bot_api import BotApi
from stacks.alerters.telegram import TelegramAlerter, TelegramAlerterConfig, TelegramAlerterFlavor
from stacks.errors import AlertError
from tests.helpers.stub_bot_api import CHAT, TOKEN, Answer, StubBotApi, error, serving

SECRET_PART = TOKEN.partition(":")[2]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubBotApi]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as server:
        yield server


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def bot(stub: StubBotApi, waits: list[float]) -> BotApi:
    return BotApi(SecretStr(TOKEN), CHAT, stub.url, timeout_seconds=5, sleep=waits.append)


def alerter(**configuration: object) -> TelegramAlerter:
    now = datetime.now(UTC)
    return TelegramAlerter(
        name="telegram",
        id=uuid4(),
        config=TelegramAlerterConfig(**configuration),
        flavor="telegram",
        type=StackComponentType.ALERTER,
        user=uuid4(),
        created=now,
        updated=now,
    )


def test_a_message_arrives_as_it_was_written(stub: StubBotApi) -> None:
    text = "Xong: <gate> & kết quả\n mrr@10 0.7 > 0.6"
    assert alerter(token=TOKEN, chat_id=CHAT, api_url=stub.url).post(text) is True
    assert stub.shown == [text]
    assert stub.delivered[0].startswith("<b>Xong: &lt;gate&gt; &amp; kết quả</b>")


def test_a_long_text_arrives_whole_and_in_order(stub: StubBotApi) -> None:
    lines = [f"dòng {number} <&>" for number in range(1500)]
    assert alerter(token=TOKEN, chat_id=CHAT, api_url=stub.url).post("\n".join(lines)) is True
    assert len(stub.delivered) > 1
    assert "\n".join(stub.shown).split("\n") == lines


def test_429_waits_as_long_as_it_was_told(bot: BotApi, stub: StubBotApi, waits: list[float]) -> None:
    stub.scripted = [error(429, "Too Many Requests: retry after 7", retry_after=7)]
    bot.send("x")
    assert waits == [7.0]
    assert stub.delivered == ["x"]


def test_5xx_and_broken_connections_are_tried_again_with_doubling_waits(
    bot: BotApi, stub: StubBotApi, waits: list[float]
) -> None:
    stub.scripted = [Answer(502, "<html>bad gateway</html>"), Answer(drop=True), error(500, "Internal")]
    bot.send("x")
    assert waits == [1.0, 2.0, 4.0]
    assert stub.delivered == ["x"]


def test_it_gives_up_after_the_attempts(bot: BotApi, stub: StubBotApi, waits: list[float]) -> None:
    stub.scripted = [error(503, "Service Unavailable")] * 9
    with pytest.raises(AlertError, match=r"503 Service Unavailable \(5 attempts\); try again later"):
        bot.send("x")
    assert len(stub.paths) == 5
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_it_does_not_wait_longer_than_its_patience(bot: BotApi, stub: StubBotApi, waits: list[float]) -> None:
    stub.scripted = [error(429, "Too Many Requests", retry_after=40), error(429, "Too Many Requests", retry_after=40)]
    with pytest.raises(AlertError, match="429"):
        bot.send("x")
    assert waits == [40.0]


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (error(400, "Bad Request: chat not found"), "check the chat id"),
        (error(401, "Unauthorized"), "@BotFather"),
        (error(403, "Forbidden: bot was kicked"), "add it to the chat"),
        (error(400, "Bad Request: upgraded", migrate_to_chat_id=-77), "has become chat -77"),
        (Answer(200, '{"ok": false, "description": "odd"}'), "200 odd"),
    ],
)
def test_a_refusal_is_final_and_says_what_to_do(
    bot: BotApi, stub: StubBotApi, waits: list[float], answer: Answer, advice: str
) -> None:
    stub.scripted = [answer]
    with pytest.raises(AlertError, match=advice):
        bot.send("x")
    assert waits == []
    assert len(stub.paths) == 1


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ({}, "no token is configured"),
        ({"chat_id": CHAT}, "no token is configured"),
        ({"token": TOKEN}, "no chat id is configured"),
        ({"token": "hello", "chat_id": CHAT}, "does not look like one"),
    ],
)
def test_a_missing_setting_is_one_log_line_and_no_failure(
    configuration: dict[str, object], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert alerter(**configuration).post("x") is False
    assert len(caplog.records) == 1
    assert told in caplog.text


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize(
    ("url", "scripted"),
    [
        ("stub", [error(401, "Unauthorized")]),
        ("stub", [error(500, "Internal")] * 5),
        ("stub", [Answer(drop=True)] * 5),
        ("nobody", []),
        ("http://127.0.0.1:1/a b", []),
        ("http://127.0.0.1:1/é", []),
    ],
)
def test_the_token_is_in_no_log_line_repr_or_error(
    url: str, scripted: list[Answer], stub: StubBotApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stub.scripted = list(scripted)
    address = {"stub": stub.url, "nobody": f"http://127.0.0.1:{free_port()}"}.get(url, url)
    bot = BotApi(SecretStr(TOKEN), CHAT, address, timeout_seconds=5, sleep=lambda _: None)
    with pytest.raises(AlertError) as caught:
        bot.send("x")
    shown = "".join(traceback.format_exception(caught.value)) + repr(bot) + str(bot) + caplog.text
    assert SECRET_PART not in shown

    component = alerter(token=TOKEN, chat_id=CHAT, api_url=address.replace(" ", ""), attempts=1)
    component.post("x")
    shown = repr(component) + str(component) + repr(component.config) + str(component.config) + caplog.text
    assert SECRET_PART not in shown


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="starts with https://"):
        TelegramAlerterConfig(api_url="api.telegram.org")


def test_a_question_is_posted_and_not_approved(stub: StubBotApi) -> None:
    assert alerter(token=TOKEN, chat_id=CHAT, api_url=stub.url).ask("Promote?") is False
    assert stub.shown == ["Promote?"]


def test_zenml_accepts_the_flavor() -> None:
    request = TelegramAlerterFlavor().to_model(integration=None, is_custom=True)
    assert (request.name, request.type) == ("telegram", StackComponentType.ALERTER)
    assert request.config_schema["properties"]["token"]["sensitive"] is True
