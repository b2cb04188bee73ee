"""The commands proposed after a pipeline: the next one, with what was typed for this one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_OWN = {
    "promotion": ("promotion.",),
    "evaluation": ("evaluation.questions", "evaluation.corpus", "evaluation.model", "evaluation.output"),
}
"""Keys that only the pipeline they are named after reads; all others go on to the next one."""
_ONCE = {"promotion.rollback", "promotion.show"}
"""Keys that say what one command does."""


@dataclass(frozen=True)
class Following:
    """Another pipeline of this project, to be run next.

    Attributes:
        pipeline: Its name.
        overrides: ``key=value`` items of its own; they go before what was typed.
        asks: Items that stand for what is still to be chosen, such as ``evaluation.questions=FILE``; left out where
            the key was typed.
    """

    pipeline: str
    overrides: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Typed:
    """What was typed for a run.

    Attributes:
        here: Folder it was typed in.
        project: Folder of run.py.
        config: Configuration file as typed; empty where none was.
        stack: Name of the stack; empty where none was.
        overrides: ``key=value`` items as typed.
    """

    here: Path
    project: Path
    config: str = ""
    stack: str = ""
    overrides: tuple[str, ...] = ()


def command_of(following: Following | str, typed: Typed) -> str:
    """A command to be typed where this one was: on the same data, configuration and stack.

    ``--no-cache`` is not repeated: the next pipeline goes on from what was just made.

    Args:
        following: The next pipeline; or another command, which is typed in the project's folder.
        typed: For this run.
    """
    if isinstance(following, str):
        away = typed.here != typed.project
        return f"(cd {shlex.quote(_way(typed.project, typed.here))} && {following})" if away else following
    words = ["python", _way(typed.project / "run.py", typed.here), "--pipeline", following.pipeline]
    words += ["--config", typed.config] if typed.config else []
    words += ["--stack", typed.stack] if typed.stack else []
    for item in _overrides(following, typed.overrides):
        words += ["--set", item]
    return shlex.join(words)


def _overrides(following: Following, typed: Sequence[str]) -> list[str]:
    own = {_key(item) for item in following.overrides}
    last = {_key(item): item for item in typed}  # the last one of a key counts
    foreign = tuple(key for name, keys in _OWN.items() if name != following.pipeline for key in keys)
    kept = [item for key, item in last.items() if key not in own | _ONCE and not key.startswith(foreign)]
    asked = [item for item in following.asks if _key(item) not in last]
    return [*kept, *following.overrides, *asked]


def _key(item: str) -> str:
    return item.partition("=")[0].strip()


def _way(path: Path, here: Path) -> str:
    """A path from where one is; whole where it lies far off."""
    relative = os.path.relpath(path, here)
    return relative if relative.count("..") <= 3 else str(path)
