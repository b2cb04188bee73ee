"""The real Alertmanager telling a stub of Telegram: one message for a group, safe values, outages that lose nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml

from monitoring.alertmanager.config import Telegram, alertmanager_config
from monitoring.monitor.servers import alertmanager_command
from monitoring.tools import ALERTMANAGER, command_of, find_tool
from retrieval.processes.servers import LocalServer, free_port, running
from tests.helpers.monitoring_stack import until
from tests.helpers.stub_bot_api import CHAT, TOKEN, StubBotApi, error, serving

pytestmark = pytest.mark.skipif(
    find_tool(ALERTMANAGER) is None, reason="Alertmanager is not here; run make monitoring-tools"
)
PATIENCE_SECONDS = 60.0
QUICK = {"group_wait: 10s": "group_wait: 1s", "group_interval: 1m": "group_interval: 2s"}
Post = Callable[..., None]


@contextmanager
def alertmanager(folder: Path, bot: StubBotApi) -> Iterator[LocalServer]:
    """With the project's configuration, whose pages wait a second and not ten."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    config = folder / "alertmanager.yml"
    text = yaml.safe_dump(alertmanager_config(Telegram(int(CHAT), int(CHAT), TOKEN, api_url=bot.url)))
    for slow, quick in QUICK.items():
        assert slow in text
        text = text.replace(slow, quick)
    config.write_text(text, encoding="utf-8")
    port = free_port()
    command = alertmanager_command(command_of(ALERTMANAGER), port, config, folder / "data")
    with running("Alertmanager", command, port, {}, folder / "log") as server:
        server.wait_until_ready("/-/ready", 30)
        yield server


def post(server: LocalServer, *instances: str, over: bool = False, **annotations: str) -> None:
    """Alerts as Prometheus sends them: again and again until they are over."""
    now = datetime.now(UTC)
    ends = now - timedelta(seconds=1) if over else now + timedelta(minutes=5)
    alerts = [
        {
            "labels": {
                "alertname": "ErrorRateHigh",
                "severity": "page",
                "endpoint": "gateway",
                "track": "stable",
                "instance": instance,
            },
            "annotations": {
                "summary": f"{instance} answers too many requests with errors",
                "description": "7 % of the requests got an error.",
                "action": "Roll back.",
                "panel_url": "http://127.0.0.1:8110/overview#error-rate",
                "runbook_url": "http://127.0.0.1:8110/runbooks#ErrorRateHigh",
                **annotations,
            },
            "startsAt": (now - timedelta(minutes=1)).isoformat(),
            "endsAt": ends.isoformat(),
        }
        for instance in instances
    ]
    httpx.post(f"{server.url}/api/v2/alerts", json=alerts).raise_for_status()


def test_alerts_of_a_group_are_one_message_and_so_is_their_end(tmp_path: Path) -> None:
    with serving() as bot, alertmanager(tmp_path, bot) as server:
        post(server, "one", "two", "three", "four", "five", "six")
        until(lambda: bot.shown, PATIENCE_SECONDS, "the message comes")
        post(server, "one", "two", "three", "four", "five", "six", over=True)
        until(lambda: len(bot.shown) == 2, PATIENCE_SECONDS, "the end is told")
        time.sleep(3)
        firing, over = bot.shown
    assert firing.splitlines()[0] == "🔴 ErrorRateHigh · gateway (stable)"
    assert "7 % of the requests got an error.\nRoll back.\nsince " in firing
    assert firing.count("answers too many requests") == 4
    assert "and more: 6 in all" in firing
    assert over.splitlines()[0] == "✅ over: ErrorRateHigh · gateway (stable)"
    assert 'href="http://127.0.0.1:8110/overview#error-rate"' in bot.delivered[0]
    assert 'href="http://127.0.0.1:8110/runbooks#ErrorRateHigh"' in bot.delivered[1]


@pytest.mark.parametrize("value", ["<b>bold</b> & <a href='x'>", "&amp;" * 3000, "<" * 10_000, "line\nbreak\n" * 500])
def test_values_of_any_kind_and_length_arrive(tmp_path: Path, value: str) -> None:
    with serving() as bot, alertmanager(tmp_path, bot) as server:
        names = [f"{number}{value[:500]}" for number in range(12)]
        post(server, *names, summary=value, description=value, action=value)
        until(lambda: bot.shown, PATIENCE_SECONDS, "the message comes")
        assert len(bot.delivered[0]) <= 4096
        assert "ErrorRateHigh" in bot.shown[0]
        assert value[:20] in bot.shown[0]


def test_an_alert_waits_for_telegram_to_come_back(tmp_path: Path) -> None:
    with serving() as bot, alertmanager(tmp_path, bot) as server:
        bot.down = True
        post(server, "one")
        until(lambda: len(bot.paths) >= 2, PATIENCE_SECONDS, "it is tried again")
        assert not bot.delivered
        bot.down = False
        until(lambda: bot.delivered, PATIENCE_SECONDS, "the message comes")


def test_too_many_requests_are_followed_by_another_try(tmp_path: Path) -> None:
    with serving() as bot, alertmanager(tmp_path, bot) as server:
        bot.scripted = [error(429, "Too Many Requests: retry after 2", retry_after=2)]
        post(server, "one")
        until(lambda: bot.delivered, PATIENCE_SECONDS, "the message comes")
        assert len(bot.paths) >= 2


def test_an_alert_outlives_a_restart_of_alertmanager_while_prometheus_sends_it(tmp_path: Path) -> None:
    with serving() as bot:
        bot.down = True
        with alertmanager(tmp_path, bot) as server:
            post(server, "one")
            until(lambda: bot.paths, PATIENCE_SECONDS, "it is tried")
        bot.down = False
        with alertmanager(tmp_path, bot) as server:
            post(server, "one")
            until(lambda: bot.delivered, PATIENCE_SECONDS, "the message comes")


def test_an_effect_is_not_told_beside_its_cause(tmp_path: Path) -> None:
    with serving() as bot, alertmanager(tmp_path, bot) as server:
        cause = {"alertname": "EndpointDown", "severity": "page", "endpoint": "bi-encoder"}
        notes = {"summary": "no bi-encoder answers", "runbook_url": "http://x/runbooks#EndpointDown"}
        httpx.post(f"{server.url}/api/v2/alerts", json=[{"labels": cause, "annotations": notes}]).raise_for_status()
        post(server, "one")
        until(lambda: bot.shown, PATIENCE_SECONDS, "the message comes")
        time.sleep(4)
        assert [text.splitlines()[0] for text in bot.shown] == ["🔴 EndpointDown · bi-encoder"]
