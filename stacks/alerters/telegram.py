"""The ZenML flavor `telegram`: an alerter that posts to a Telegram chat and never stops a run.

``zenml alerter flavor register stacks.alerters.telegram.TelegramAlerterFlavor`` makes it known to ZenML;
``python -m stacks.alerters.register`` does that and the rest from the environment.
"""

from __future__ import annotations

import logging
import re
from typing import cast

from pydantic import SecretStr, field_validator
from zenml.alerter.base_alerter import (
    BaseAlerter,
    BaseAlerterConfig,
    BaseAlerterFlavor,
    BaseAlerterStepParameters,
)
from zenml.utils.secret_utils import PlainSerializedSecretStr, SecretField

from stacks.alerters.bot_api import DEFAULT_URL, BotApi
from stacks.alerters.text import messages
from stacks.errors import AlertError

logger = logging.getLogger(__name__)

FLAVOR = "telegram"
_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")


class TelegramAlerterConfig(BaseAlerterConfig):
    """Where to post.

    Attributes:
        token: Of the bot; best a reference to a ZenML secret, ``{{telegram.token}}``. Absent: nothing is posted.
        chat_id: Number of a chat, or ``@name`` of a public channel. Empty: nothing is posted.
        api_url: Of the Bot API server, for one's own.
        timeout_seconds: For one request.
        attempts: Requests for one message at most.
        patience_seconds: Waiting between the requests for one message at most, together.
    """

    token: PlainSerializedSecretStr | None = SecretField(default=None)
    chat_id: str = ""
    api_url: str = DEFAULT_URL
    timeout_seconds: float = 10.0
    attempts: int = 5
    patience_seconds: float = 60.0

    @field_validator("api_url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if not url.startswith(("https://", "http://")):
            raise ValueError(f"api_url: got {url!r}; give an address that starts with https:// (or http://)")
        return url


class TelegramAlerter(BaseAlerter):
    """Posts plain text to a Telegram chat."""

    @property
    def config(self) -> TelegramAlerterConfig:
        """Where to post."""
        return cast(TelegramAlerterConfig, self._config)

    def post(self, message: str, params: BaseAlerterStepParameters | None = None) -> bool:
        """Post a text, in several messages where it is too long for one.

        Args:
            message: Plain text; its first line is the heading.
            params: Not used.

        Returns:
            Whether all of it was posted. If not, one line in the log says why; nothing is raised.
        """
        try:
            bot = self._bot()
            for part in messages(message):
                bot.send(part)
        except AlertError as error:
            logger.warning("%s", error)
            return False
        return True

    def ask(self, question: str, params: BaseAlerterStepParameters | None = None) -> bool:
        """Post a question; nobody's answer is waited for, so it counts as not approved."""
        self.post(question, params)
        return False

    def _bot(self) -> BotApi:
        """The client.

        Raises:
            AlertError: If no token or no chat is configured, or the secret that holds the token is not there.
        """
        config = self.config
        try:
            token = config.token
        except KeyError as error:  # ZenML's own message shows the component
            raise AlertError("Telegram: the secret with the token is not there, so nothing is posted") from error
        # ZenML puts the plain value in the place of a reference
        value = (token.get_secret_value() if isinstance(token, SecretStr) else token or "").strip()
        if not value or not config.chat_id:
            missing = "chat id" if value else "token"
            raise AlertError(f"Telegram: no {missing} is configured, so nothing is posted")
        if not _TOKEN.fullmatch(value):
            raise AlertError(
                "Telegram: the configured token does not look like one (123456:ABC-def); get one from @BotFather"
            )
        return BotApi(
            SecretStr(value),
            config.chat_id,
            config.api_url,
            config.timeout_seconds,
            config.attempts,
            config.patience_seconds,
        )


class TelegramAlerterFlavor(BaseAlerterFlavor):
    """Tells ZenML of the alerter."""

    @property
    def name(self) -> str:
        """Name of the flavor."""
        return FLAVOR

    @property
    def config_class(self) -> type[TelegramAlerterConfig]:
        """What can be configured."""
        return TelegramAlerterConfig

    @property
    def implementation_class(self) -> type[TelegramAlerter]:
        """What posts."""
        return TelegramAlerter
