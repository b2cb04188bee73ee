"""Token and chats of Telegram, from the environment or from files that nobody else can read."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path

from monitoring.alertmanager.config import API_URL, Telegram
from retrieval.errors import ConfigError

TOKEN, TOKEN_FILE = "TELEGRAM_BOT_TOKEN", "TELEGRAM_BOT_TOKEN_FILE"
CHAT, TICKET_CHAT, URL = "TELEGRAM_CHAT_ID", "TELEGRAM_TICKET_CHAT_ID", "TELEGRAM_API_URL"
_TOKEN_SHAPE = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")


def read_telegram(variables: Mapping[str, str], seen_at: str = "", inline: bool = True) -> Telegram | None:
    """Where messages go; None where nothing of Telegram is set.

    Args:
        variables: The environment.
        seen_at: Path of the token's file as Alertmanager sees it, for one in a container; the token itself is then
            not needed here.
        inline: Whether the token is written into the configuration, as Alertmanager before 0.26 wants it, although it
            lies in a file.

    Raises:
        ConfigError: If a part is missing, the token or a chat has another shape, or others may read the token's file.
    """
    given = {name: variables.get(name, "").strip() for name in (TOKEN, TOKEN_FILE, CHAT, TICKET_CHAT, URL)}
    if not any(given[name] for name in (TOKEN, TOKEN_FILE, CHAT, TICKET_CHAT)) and not seen_at:
        return None
    if not given[CHAT]:
        raise ConfigError(f"{CHAT}: not set; give the number of the chat, or unset {TOKEN} to tell nobody")
    chat = _chat(CHAT, given[CHAT])
    ticket_chat = _chat(TICKET_CHAT, given[TICKET_CHAT]) if given[TICKET_CHAT] else chat
    url = given[URL] or API_URL
    if not url.startswith(("https://", "http://")):
        raise ConfigError(f"{URL}: got {url!r}; give an address that starts with https:// (or http://)")
    if seen_at:
        return Telegram(chat, ticket_chat, token_file=seen_at, api_url=url)
    token = _token(given[TOKEN], given[TOKEN_FILE])
    if given[TOKEN_FILE] and not inline:
        return Telegram(chat, ticket_chat, token_file=str(Path(given[TOKEN_FILE]).absolute()), api_url=url)
    return Telegram(chat, ticket_chat, token=token, api_url=url)


def _chat(name: str, text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,19}", text):
        raise ConfigError(
            f"{name}: got {text!r}; Alertmanager takes the chat's number alone, such as -1001234567890, which"
            f" {API_URL}/bot<token>/getUpdates shows after a message to the bot"
        )
    return int(text)


def _token(text: str, file: str) -> str:
    """The token, which no message shows.

    Raises:
        ConfigError: If there is none, or two, or it is no token.
    """
    if text and file:
        raise ConfigError(f"{TOKEN} and {TOKEN_FILE}: both are set; unset one")
    if not text and not file:
        raise ConfigError(f"{TOKEN}: not set; give what @BotFather gave, or a file with it as {TOKEN_FILE}")
    token = text or _read(Path(file))
    if not _TOKEN_SHAPE.fullmatch(token):
        raise ConfigError(
            f"{TOKEN if text else file}: holds no bot token; it looks like 123456:ABC-DEF, see @BotFather"
        )
    return token


def _read(path: Path) -> str:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise ConfigError(f"{path}: others may read it (mode {mode:04o}); run chmod 600 {path}")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the bot's token cannot be read ({error}); mend {TOKEN_FILE}") from error
