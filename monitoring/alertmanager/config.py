"""The configuration as data: routes by severity, grouping, what silences what, and the receivers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("telegram.tmpl")
API_URL = "https://api.telegram.org"
PAGES, TICKETS, NOBODY = "pages", "tickets", "nobody"
_GROUPS = ["alertname", "endpoint", "track"]
_CAUSED_BY_BI_ENCODER = "MostRequestsFail|ErrorRateHigh|AvailabilityBudgetBurn.*"
_CAUSED_BY_CROSS_ENCODER = "RerankerCircuitOpen|RerankedBudgetBurn.*"


@dataclass(frozen=True)
class Telegram:
    """Where messages go.

    Attributes:
        chat: Number of the chat that pages go to.
        ticket_chat: Number of the chat for tickets.
        token: Of the bot; empty where Alertmanager reads it from a file.
        token_file: That file, as Alertmanager sees it; empty where the token is in the configuration.
        api_url: Of the Bot API.
    """

    chat: int
    ticket_chat: int
    token: str = ""
    token_file: str = ""
    api_url: str = API_URL


def alertmanager_config(telegram: Telegram | None) -> dict[str, Any]:
    """The configuration.

    A page is sent after ten seconds, in which alerts of its kind gather, and again every four hours; a ticket waits
    half a minute and comes once a day, without a sound.

    Args:
        telegram: None groups alerts, which the page and Alertmanager show, and tells nobody.
    """
    receivers = [{"name": NOBODY}] if telegram is None else [_receiver(telegram, PAGES), _receiver(telegram, TICKETS)]
    pages, tickets = (NOBODY, NOBODY) if telegram is None else (PAGES, TICKETS)
    return {
        "route": {
            "receiver": tickets,
            "group_by": _GROUPS,
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "24h",
            "routes": [
                {
                    "receiver": pages,
                    "matchers": ['severity="page"'],
                    "group_wait": "10s",
                    "group_interval": "1m",
                    "repeat_interval": "4h",
                }
            ],
        },
        "inhibit_rules": inhibitions(),
        "receivers": receivers,
    }


def inhibitions() -> list[dict[str, Any]]:
    """Which alert makes which others needless to tell: causes go before what they cause."""
    return [
        _inhibition(['alertname="EndpointDown"'], ['alertname!="EndpointDown"'], "endpoint"),
        _inhibition(
            ['alertname="EndpointDown"', 'endpoint="bi-encoder"'],
            ['endpoint="gateway"', f'alertname=~"{_CAUSED_BY_BI_ENCODER}"'],
        ),
        _inhibition(
            ['alertname="EndpointDown"', 'endpoint="cross-encoder"'],
            ['endpoint="gateway"', f'alertname=~"{_CAUSED_BY_CROSS_ENCODER}"'],
        ),
        _inhibition(['alertname="MostRequestsFail"'], ['slo="availability"'], "endpoint", "track"),
        _inhibition(['alertname=~".+BudgetBurnFast"'], ['alertname=~".+BudgetBurnSlow"'], "slo", "endpoint", "track"),
        _inhibition(['severity="page"', 'slo=~".+"'], ['severity="ticket"', 'slo=~".+"'], "slo", "endpoint", "track"),
    ]


def _inhibition(source: list[str], target: list[str], *equal: str) -> dict[str, Any]:
    return {"source_matchers": source, "target_matchers": target, "equal": list(equal)}


def _receiver(telegram: Telegram, name: str) -> dict[str, Any]:
    token = {"bot_token_file": telegram.token_file} if telegram.token_file else {"bot_token": telegram.token}
    values: dict[str, Any] = {
        "api_url": telegram.api_url,
        **token,
        "chat_id": telegram.chat if name == PAGES else telegram.ticket_chat,
        "parse_mode": "HTML",
        "send_resolved": True,
        "disable_notifications": name == TICKETS,
        "message": TEMPLATE.read_text(encoding="utf-8"),
    }
    return {"name": name, "telegram_configs": [values]}
