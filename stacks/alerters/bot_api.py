"""Sends messages through Telegram's Bot API, patiently, and without ever showing the token.

https://core.telegram.org/bots/api#sendmessage. The token is part of every request's path, so the standard library's
client is used: it logs no address, and its errors name none.
"""

from __future__ import annotations

import http.client
import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from stacks.errors import AlertError

logger = logging.getLogger(__name__)

DEFAULT_URL = "https://api.telegram.org"
_TOO_MANY, _SERVER_FAULT = 429, 500


@dataclass(frozen=True, slots=True)
class BotApi:
    """One bot writing to one chat.

    Attributes:
        token: Of the bot, as @BotFather gives it; masked wherever this object is shown.
        chat_id: Number of a chat, or ``@name`` of a public channel.
        url: Address of the Bot API server.
        timeout_seconds: For one request.
        attempts: Requests for one message at most.
        patience_seconds: Waiting between them at most, all waits together; a run must not hang on its messages.
        sleep: Waits; replaced in tests.
    """

    token: SecretStr
    chat_id: str
    url: str = DEFAULT_URL
    timeout_seconds: float = 10.0
    attempts: int = 5
    patience_seconds: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def send(self, html: str) -> None:
        """Send one message, again after a while where the server is busy, faulty or cannot be reached.

        Args:
            html: At most 4,096 characters once its markup is taken away.

        Raises:
            AlertError: If Telegram refuses it, or it could not be delivered within the attempts and the patience.
        """
        waited = 0.0
        for attempt in range(1, self.attempts + 1):
            failure = self._request(html)
            if failure is None:
                return
            wait = 2.0 ** (attempt - 1) if failure.retry_after_seconds is None else failure.retry_after_seconds
            if not failure.passing or attempt == self.attempts or waited + wait > self.patience_seconds:
                tried = f" ({attempt} attempts)" if attempt > 1 else ""
                raise AlertError(f"Telegram: {failure.reason}{tried}; {failure.advice}")
            logger.info("Telegram: %s; trying again in %g s", failure.reason, wait)
            self.sleep(wait)
            waited += wait

    def _request(self, html: str) -> _Failure | None:
        fields = {"chat_id": self.chat_id, "text": html, "parse_mode": "HTML", "disable_web_page_preview": True}
        try:
            request = urllib.request.Request(  # noqa: S310 - the scheme is checked with the configuration
                f"{self.url.rstrip('/')}/bot{self.token.get_secret_value()}/sendMessage",
                data=json.dumps(fields).encode(),
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=self.timeout_seconds) as response:  # noqa: S310
                answer = _answer(response.read())
            return None if answer.get("ok") is True else _failure(response.status, answer)
        except urllib.error.HTTPError as error:
            with error:
                return _failure(error.code, _answer(_body(error)))
        except (http.client.InvalidURL, UnicodeError):  # their messages quote the path, and with it the token
            return _Failure("the address of the Bot API holds a character that none may", "check api_url")
        except urllib.error.URLError as error:
            return _Failure(f"{self.url} cannot be reached ({error.reason})", "check the network", passing=True)
        except (OSError, http.client.HTTPException) as error:
            return _Failure(f"{self.url} broke off ({type(error).__name__})", "check the network", passing=True)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a request was in vain, what to do about it, and whether the same request may succeed later."""

    reason: str
    advice: str
    passing: bool = False
    retry_after_seconds: float | None = None


_ADVICE = {
    400: "check the chat id, and that the bot is a member of that chat",
    401: "the token is not valid; get a new one from @BotFather",
    403: "the bot may not write there; add it to the chat",
    404: "no such bot; check the token",
}


def _failure(status: int, answer: Mapping[str, object]) -> _Failure:
    """What an answer other than success means."""
    told = answer.get("parameters")
    parameters = told if isinstance(told, dict) else {}
    reason = f"{status} {answer.get('description', '')}".strip()
    if "migrate_to_chat_id" in parameters:
        return _Failure(reason, f"the group has become chat {parameters['migrate_to_chat_id']}; set that as chat id")
    if status == _TOO_MANY or status >= _SERVER_FAULT:
        after = parameters.get("retry_after")
        wait = float(after) if isinstance(after, int | float) else None
        return _Failure(reason, "try again later", passing=True, retry_after_seconds=wait)
    return _Failure(reason, _ADVICE.get(status, "see https://core.telegram.org/bots/api"))


def _body(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read()
    except (OSError, http.client.HTTPException):  # the status says enough
        return b""


def _answer(body: bytes) -> dict[str, object]:
    """The JSON object of an answer; empty where it is none, such as a proxy's own error page."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
