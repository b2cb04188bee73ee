"""Gives a stack the Telegram alerter, from the environment: ``python -m stacks.alerters.register [--stack NAME]``.

TELEGRAM_BOT_TOKEN is what @BotFather gave, TELEGRAM_CHAT_ID the chat to post to; TELEGRAM_API_URL is needed only for a
Bot API server of one's own. The token is kept as a ZenML secret. Typing the command again updates all of it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.models import ComponentResponse
from zenml.stack import Stack

from retrieval.errors import ConfigError, RetrievalError
from retrieval.telemetry import telemetry_off
from stacks.alerters.bot_api import DEFAULT_URL
from stacks.alerters.telegram import FLAVOR
from stacks.choice import choose_stack

NAME = "telegram"
"""Of the component and of the secret."""
TOKEN, CHAT, URL = "TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID", "TELEGRAM_API_URL"
_SOURCE = "stacks.alerters.telegram.TelegramAlerterFlavor"


def register_telegram() -> ComponentResponse:
    """The alerter component, its flavor and its secret, made or brought up to date.

    Raises:
        ConfigError: If the token or the chat is not in the environment.
    """
    missing = [name for name in (TOKEN, CHAT) if not os.environ.get(name)]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} not set; @BotFather gives a token, and the chat id is in"
            f" {DEFAULT_URL}/bot<token>/getUpdates after a message to the bot"
        )
    client = Client()
    values = {"token": os.environ[TOKEN]}
    if client.list_secrets(name=NAME).items:
        client.update_secret(NAME, add_or_update_values=values)
    else:
        client.create_secret(NAME, values)
    if not client.list_flavors(name=FLAVOR, type=StackComponentType.ALERTER).items:
        client.create_flavor(_SOURCE, StackComponentType.ALERTER)
    url = os.environ.get(URL, DEFAULT_URL)
    configuration = {"token": f"{{{{{NAME}.token}}}}", "chat_id": os.environ[CHAT], "api_url": url}
    if client.list_stack_components(name=NAME, type=StackComponentType.ALERTER).items:
        return client.update_stack_component(NAME, StackComponentType.ALERTER, configuration=configuration)
    return client.create_stack_component(NAME, FLAVOR, StackComponentType.ALERTER, configuration)


def main(argv: Sequence[str] | None = None) -> int:
    """Register, and post a greeting; 0 if that arrived."""
    parser = argparse.ArgumentParser(
        prog="python -m stacks.alerters.register", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--stack", metavar="NAME", help="stack that gets the alerter; default as in run.py")
    arguments = parser.parse_args(argv)
    telemetry_off()
    try:
        component, stack = register_telegram(), choose_stack(arguments.stack)
        Client().update_stack(stack.id, component_updates={StackComponentType.ALERTER: [component.id]})
    except RetrievalError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    alerter = Stack.from_model(Client().get_stack(stack.id)).alerter
    arrived = alerter is not None and alerter.post(f"Stack {stack.name} posts here\nThe start and the end of its runs.")
    sys.stdout.write(f"stack {stack.name} has the alerter {NAME}; {'see its greeting' if arrived else 'not reached'}\n")
    return 0 if arrived else 1


if __name__ == "__main__":
    sys.exit(main())
