"""The command: write the configuration, readable by its owner alone, in the form that Alertmanager's version takes."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from monitoring.alertmanager.config import alertmanager_config
from monitoring.alertmanager.settings import CHAT, TOKEN, URL, read_telegram
from monitoring.tools import ALERTMANAGER, find_tool
from retrieval.errors import ConfigError

_TOKEN_FILES_SINCE = (0, 26)
"""Version from which Alertmanager reads a token from a file of its own."""


def main(argv: Sequence[str] | None = None) -> int:
    """Render; 0 if the file is there, 2 on bad input."""
    given = _arguments(argv)
    variables = os.environ | ({URL: given.api_url} if given.api_url else {})
    try:
        inline = _inline(given.version, given.bot_token_file)
        telegram = read_telegram(variables, given.bot_token_file, inline)
        write_private(given.to, yaml.safe_dump(alertmanager_config(telegram), sort_keys=False, allow_unicode=True))
    except ConfigError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    told = "nobody, for TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID are not set" if telegram is None else "Telegram"
    sys.stdout.write(f"{given.to}: alerts are told to {told}\n")
    return 0


def _inline(version: str, token_file: str) -> bool:
    """Whether the token must be in the configuration."""
    old = version_of(version) < _TOKEN_FILES_SINCE
    if token_file and old and version:
        raise ConfigError(f"--bot-token-file: Alertmanager {version} knows none; it takes 0.26 or later")
    return old


def version_of(said: str) -> tuple[int, int]:
    """Major and minor number of Alertmanager.

    Args:
        said: As it was typed; empty asks the program that is found here, and takes the newest form without one.

    Raises:
        ConfigError: If what was typed is no version.
    """
    text = said
    if not said and (program := find_tool(ALERTMANAGER)):
        done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
        text = "".join(re.findall(r"version (\d+\.\d+)", done.stdout + done.stderr)[:1])
    found = re.match(r"v?(\d+)\.(\d+)", text)
    if found is None and said:
        raise ConfigError(f"--version: got {said!r}; give Alertmanager's, such as 0.27")
    return (int(found[1]), int(found[2])) if found else _TOKEN_FILES_SINCE


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, whole or not at all.

    Raises:
        ConfigError: If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, staged = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # made with mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(staged).replace(path)
        except OSError:
            Path(staged).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror or error}); choose another with --to") from error


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m monitoring.alertmanager",
        description=f"Write Alertmanager's configuration, with {TOKEN} and {CHAT} from the environment.",
    )
    render = parser.add_subparsers(required=True, metavar="render").add_parser("render", help="write it into a file")
    render.add_argument(
        "--to", type=Path, required=True, metavar="FILE", help="gets mode 0600, for it may hold the token"
    )
    render.add_argument(
        "--api-url", default="", metavar="URL", help=f"of a Bot API server of one's own (default {URL})"
    )
    render.add_argument(
        "--bot-token-file", default="", metavar="PATH", help="where Alertmanager (0.26 or later) finds the token itself"
    )
    render.add_argument(
        "--version", default="", metavar="X.Y", help="of Alertmanager (default that of the program found here)"
    )
    return parser.parse_args(argv)
