"""Servers that end with whoever started them, however that ended: a supervisor killed hard leaves no port taken.

Linux is told to send a signal to a child whose parent is gone, which works for any command. Elsewhere our own services
watch a pipe that only their supervisor holds open.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import BinaryIO

PIPE = "SERVICE_SUPERVISOR_PIPE"
"""Variable with the number of the pipe's reading end."""
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl(2)
_PATIENCE_SECONDS = 60.0


def end_with_parent(parent: int) -> Callable[[], None] | None:
    """What a child runs before its command, so that it gets SIGTERM when its parent ends; None where that is not sure.

    Linux sends the signal when the thread ends that made the child, so that only the main thread can ask for it.

    Args:
        parent: Id of the process that makes the child.
    """
    control = _prctl()
    if control is None or threading.current_thread() is not threading.main_thread():
        return None

    def before() -> None:
        control(_SET_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:  # it ended in between
            os._exit(1)

    return before


@cache
def _prctl() -> Callable[[int, int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        found: Callable[[int, int], int] | None = getattr(ctypes.CDLL(None), "prctl", None)
    except (OSError, TypeError):
        return None
    return found


def watched_pipe() -> tuple[int, BinaryIO]:
    """Reading end, for the child, and writing end, which stays open as long as this process is there."""
    reading, writing = os.pipe()
    return reading, os.fdopen(writing, "wb")


def end_with_supervisor(environment: Mapping[str, str] | None = None) -> None:
    """Have this process end when its supervisor does, if it has one that said so: as on SIGTERM, then at once.

    Args:
        environment: Variables; default this process's.
    """
    text = (os.environ if environment is None else environment).get(PIPE, "")
    if not text.isdigit():
        return

    def watch(pipe: int) -> None:
        try:
            while os.read(pipe, 1):
                pass
        except OSError:
            return  # no pipe of ours
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_PATIENCE_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, args=(int(text),), name="supervisor", daemon=True).start()
