"""Server processes on this machine: started on free ports, waited for until they answer, and stopped for sure."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from retrieval.errors import ServerError
from retrieval.processes.port_holder import leftover_on
from retrieval.processes.supervision import PIPE, end_with_parent, watched_pipe

_logger = logging.getLogger(__name__)
LOCALHOST = "127.0.0.1"
_POLL_SECONDS = 0.2
_MOST_SAID = 400
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class LocalServer:
    """A process that answers on a port of this machine.

    Attributes:
        name: For people.
        port: Where it answers.
        process: Leads a process group of its own, so that a Ctrl-C reaches it only through us.
        log: What it says.
        pipe: Writing end of a pipe that a service of ours watches, where no signal tells it that this process ended.
    """

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    pipe: BinaryIO | None = None

    @property
    def url(self) -> str:
        """Where it answers, without a final slash."""
        return f"http://{LOCALHOST}:{self.port}"

    def check(self) -> None:
        """See that it still runs.

        Raises:
            ServerError: If it has ended; with the last of what it said.
        """
        if self.process.poll() is not None:
            raise ServerError(self.fate())

    def fate(self) -> str:
        """How it ended, with the last of what it said."""
        return f"{self.name}: ended with code {self.process.poll()}; the last of its log:\n{self._last_words()}"

    def wait_until_ready(self, path: str, timeout_seconds: float) -> None:
        """Wait for an answer.

        Args:
            path: Answered with 200 once it is ready, such as ``/health``.
            timeout_seconds: How long to wait.

        Raises:
            ServerError: If it ends or does not answer in that time.
        """
        local = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # localhost is behind no proxy
        deadline, said = time.monotonic() + timeout_seconds, ""
        while time.monotonic() < deadline:
            self.check()
            try:
                with local.open(self.url + path, timeout=5):
                    return
            except urllib.error.HTTPError as error:
                with error:
                    said = f", which says {error.read(_MOST_SAID).decode(errors='replace')}"
            except OSError:
                pass  # it does not listen yet
            time.sleep(_POLL_SECONDS)
        raise ServerError(
            f"{self.name}: not ready at {self.url}{path} in {timeout_seconds:g} s{said}; the last of its log:\n"
            f"{self._last_words()}"
        )

    def stop(self, timeout_seconds: float = 15.0) -> None:
        """Ask it and its children to end, and end them if they do not."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout_seconds)
                break
        self._let_go()  # not before, or it would be told to end twice

    def kill(self) -> None:
        """End it and its children at once, as a power cut does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._let_go()

    def _let_go(self) -> None:
        if self.pipe is not None:
            self.pipe.close()

    def _last_words(self) -> str:
        return "\n".join(map(_readable, self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]))


def _readable(line: str) -> str:
    """A line of a log for a person: of one in JSON the level, the message and the traceback."""
    try:
        said = json.loads(line)
    except ValueError:
        return line
    if not (isinstance(said, dict) and "message" in said):
        return line
    return " ".join(str(said[key]) for key in ("level", "message", "exception") if key in said)


def free_port(wanted: int = 0) -> int:
    """The port wanted if nothing listens there, else one that the system gives."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((LOCALHOST, port))
            return int(tried.getsockname()[1])
    raise ServerError("no free port on this machine; stop something that listens")


def claim_port(port: int, option: str) -> int:
    """The port wanted, and no other.

    Args:
        port: Wanted; 0 lets the system choose.
        option: Which option names it, for the error.

    Raises:
        ServerError: If something listens there already.
    """
    found = free_port(port)
    if port and found != port:
        left = leftover_on(port)
        if left is not None:
            raise ServerError(
                f"port {port} is taken by a {left.name} of an earlier start, process {left.process};"
                f" end it with `kill {left.process}`, or give another port with {option}"
            )
        raise ServerError(f"port {port} is taken; stop what listens there, or give another with {option}")
    return found


def started(name: str, command: Sequence[str], port: int, environment: Mapping[str, str], log: Path) -> LocalServer:
    """Start a server; whoever starts it stops or kills it, and it ends by itself when this process is killed.

    Args:
        name: For people.
        command: To type.
        port: Where it will answer.
        environment: Added to this process's.
        log: File for what it says; that of an earlier start is added to.
    """
    before = end_with_parent(os.getpid())
    with log.open("ab") as stream, contextlib.ExitStack() as opened:
        reading, writing = (None, None) if before else watched_pipe()
        if reading is not None:
            opened.callback(os.close, reading)
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment, **({} if reading is None else {PIPE: str(reading)})},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=() if reading is None else (reading,),
            preexec_fn=before,  # noqa: PLW1509 - two system calls, no lock
        )
    return LocalServer(name, port, process, log, writing)


@contextlib.contextmanager
def running(
    name: str, command: Sequence[str], port: int, environment: Mapping[str, str], log: Path
) -> Iterator[LocalServer]:
    """Run a server until the block ends, however it ends; arguments as of `started`."""
    server = started(name, command, port, environment, log)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def stopping_signals() -> Iterator[None]:
    """Make Ctrl-C, a polite kill and a closed terminal raise KeyboardInterrupt, even where a shell had them ignored."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def serve_until_interrupted(
    servers: Sequence[LocalServer],
    dispensable: Sequence[LocalServer] = (),
    besides: Sequence[Callable[[], None]] = (),
) -> None:
    """Wait until one of the stopping signals comes.

    Args:
        servers: All are needed.
        dispensable: Others get along without these; that one ended is logged.
        besides: Called from time to time; returns at once.

    Raises:
        ServerError: If a server that is needed ends before.
    """
    left = list(dispensable)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            for server in servers:
                server.check()
            for server in [one for one in left if one.process.poll() is not None]:
                left.remove(server)
                _logger.warning("%s\nthe others go on without it", server.fate())
            for call in besides:
                call()
            time.sleep(_POLL_SECONDS)


def stop_without(parent: int) -> Callable[[], None]:
    """A call that interrupts, as Ctrl-C does, once the process that started this one is gone."""

    def look() -> None:
        if os.getppid() != parent:
            raise KeyboardInterrupt

    return look
