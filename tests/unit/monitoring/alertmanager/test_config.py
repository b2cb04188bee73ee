"""Alertmanager's configuration: its checker takes both forms, every alert has its way, and causes go before effects."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from monitoring.alertmanager.command import main
from monitoring.alertmanager.config import NOBODY, PAGES, TICKETS, Telegram, alertmanager_config, inhibitions
from monitoring.rules.command import groups
from monitoring.slo import load_service_levels
from monitoring.tools import AMTOOL, find_tool, tool

TOLD = Telegram(chat=-100200300, ticket_chat=-100200301, token="123456:AAH-stub_token")
ALERTS = [alert for group in groups(load_service_levels()) for alert in group.alerts]
needs_amtool = pytest.mark.skipif(find_tool(AMTOOL) is None, reason="amtool is not here; run make monitoring-tools")


def write(folder: Path, telegram: Telegram | None) -> Path:
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(alertmanager_config(telegram), allow_unicode=True), encoding="utf-8")
    return path


def amtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool(AMTOOL), *map(str, arguments)], capture_output=True, text=True, check=False)


@needs_amtool
@pytest.mark.parametrize("telegram", [TOLD, None])
def test_amtool_takes_the_configuration_of_its_version(tmp_path, telegram):
    done = amtool("check-config", write(tmp_path, telegram))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{2 if telegram else 1} receivers" in done.stdout


@needs_amtool
@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_goes_to_the_receiver_of_its_severity(tmp_path, alert):
    labels = {"alertname": alert.name, "severity": alert.severity.value, "endpoint": "gateway", "track": "stable"}
    config = write(tmp_path, TOLD)
    done = amtool("config", "routes", "test", f"--config.file={config}", *(f"{k}={v}" for k, v in labels.items()))
    assert done.stdout.strip() == {"page": PAGES, "ticket": TICKETS}[alert.severity.value]


@needs_amtool
def test_an_alert_without_a_severity_is_a_ticket_and_not_lost(tmp_path):
    done = amtool("config", "routes", "test", f"--config.file={write(tmp_path, TOLD)}", "alertname=Strange")
    assert done.stdout.strip() == TICKETS


def test_without_telegram_nobody_is_told_and_no_token_is_needed():
    config = alertmanager_config(None)
    assert config["receivers"] == [{"name": NOBODY}]
    assert {config["route"]["receiver"], config["route"]["routes"][0]["receiver"]} == {NOBODY}


def test_the_form_of_later_versions_names_the_tokens_file_and_holds_no_token():
    (page, ticket) = alertmanager_config(Telegram(-1, -2, token_file="/run/secrets/token"))["receivers"]
    for receiver, chat in ((page, -1), (ticket, -2)):
        (config,) = receiver["telegram_configs"]
        assert config["bot_token_file"] == "/run/secrets/token"
        assert "bot_token" not in config
        assert config["chat_id"] == chat
        assert config["send_resolved"] is True


def test_alerts_that_are_named_in_inhibitions_exist():
    named = {
        name.removesuffix(".*")
        for rule in inhibitions()
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
        if matcher.startswith("alertname")
        for name in matcher.partition('"')[2].rstrip('"').split("|")
    }
    assert named
    for name in named:
        assert any(re.match(name, alert.name) for alert in ALERTS), name


@pytest.mark.parametrize(
    ("variables", "arguments", "complaint"),
    [
        ({"TELEGRAM_BOT_TOKEN": "123:abc"}, (), "TELEGRAM_CHAT_ID: not set"),
        ({"TELEGRAM_CHAT_ID": "-1"}, (), "TELEGRAM_BOT_TOKEN: not set"),
        (
            {"TELEGRAM_BOT_TOKEN": "123:abc", "TELEGRAM_CHAT_ID": "@channel"},
            (),
            "got '@channel'; Alertmanager takes the",
        ),
        ({"TELEGRAM_BOT_TOKEN": "secret words", "TELEGRAM_CHAT_ID": "-1"}, (), "holds no bot token"),
        (
            {"TELEGRAM_BOT_TOKEN_FILE": "nowhere", "TELEGRAM_CHAT_ID": "-1"},
            (),
            "nowhere: the bot's token cannot",
        ),
        (
            {"TELEGRAM_BOT_TOKEN_FILE": "x", "TELEGRAM_BOT_TOKEN": "1:a", "TELEGRAM_CHAT_ID": "-1"},
            (),
            "both are set; unset one",
        ),
        (
            {"TELEGRAM_BOT_TOKEN": "1:a", "TELEGRAM_CHAT_ID": "-1"},
            ("--api-url", "ftp://x"),
            "TELEGRAM_API_URL: got",
        ),
        ({"TELEGRAM_CHAT_ID": "-1"}, ("--version", "new"), "--version: got 'new'"),
        (
            {"TELEGRAM_CHAT_ID": "-1"},
            ("--version", "0.25", "--bot-token-file", "/run/secrets/t"),
            "--bot-token-file: Alertmanager 0.25 knows none",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line_without_the_token(
    tmp_path, monkeypatch, capsys, variables, arguments, complaint
):
    clean(monkeypatch, **variables)
    assert main(["render", "--to", str(tmp_path / "alertmanager.yml"), *arguments]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
    assert "secret words" not in said
    assert not list(tmp_path.iterdir())


def clean(monkeypatch, **variables: str) -> None:
    for name in ("BOT_TOKEN", "BOT_TOKEN_FILE", "CHAT_ID", "TICKET_CHAT_ID", "API_URL"):
        monkeypatch.delenv(f"TELEGRAM_{name}", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_a_tokens_file_that_others_may_read_is_refused_and_one_of_its_own_is_not(tmp_path, monkeypatch, capsys):
    token, target = tmp_path / "token", tmp_path / "made" / "alertmanager.yml"
    token.write_text("123456:AAH-stub_token\n")
    clean(monkeypatch, TELEGRAM_BOT_TOKEN_FILE=str(token), TELEGRAM_CHAT_ID="-100200300")
    token.chmod(0o644)
    assert main(["render", "--to", str(target)]) == 2
    assert "others may read it (mode 0644); run chmod 600" in capsys.readouterr().err
    token.chmod(0o600)
    for version, holds in (("0.25", "bot_token: 123456:AAH-stub_token"), ("0.26", f"bot_token_file: {token}")):
        assert main(["render", "--to", str(target), "--version", version]) == 0
        assert holds in target.read_text()
        assert target.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in target.parent.iterdir()] == ["alertmanager.yml"]


def test_a_container_reads_the_token_where_it_sees_it(tmp_path, monkeypatch):
    clean(monkeypatch, TELEGRAM_CHAT_ID="-100200300")
    target = tmp_path / "alertmanager.yml"
    given = ["--version", "0.27", "--bot-token-file", "/run/secrets/telegram_bot_token"]
    assert main(["render", "--to", str(target), *given]) == 0
    assert "bot_token_file: /run/secrets/telegram_bot_token" in target.read_text()


def test_a_place_that_cannot_be_written_is_named(tmp_path, monkeypatch, capsys):
    clean(monkeypatch)
    (tmp_path / "file").write_text("")
    assert main(["render", "--to", str(tmp_path / "file" / "alertmanager.yml")]) == 2
    assert "cannot be written" in capsys.readouterr().err
