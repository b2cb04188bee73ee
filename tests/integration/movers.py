"""Processes that change production at once, or are killed while they do: python -m tests.integration.movers MODE ...

Everything is imported once; each mover is a fork that opens ZenML for itself.

``race CHANGE BEFORE VERSION VERSION`` prints a line for each: ``VERSION moved`` or ``VERSION told: MESSAGE``.
``kill BEFORE FUNCTION:CHANGE:VERSION ...`` has each mover killed as it calls that function of move_production.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import SimpleNamespace

from registry.errors import PromotionError
from registry.versions import find_version
from steps.promotion import move_production


def forked(work: Callable[[], None]) -> int:
    process = os.fork()
    if process == 0:
        work()
        os._exit(0)
    return process


def race(change: int, before: str, names: list[str]) -> None:
    gate_read, gate_write = os.pipe()

    def move(name: str) -> None:
        os.close(gate_write)
        version = find_version(name)
        os.read(gate_read, 1)  # ends when the parent closes its end
        try:
            move_production.move(version, before, change, "promotion")
            said = f"{name} moved\n"
        except PromotionError as error:
            said = f"{name} told: {error}\n"
        os.write(1, said.encode())

    movers = [forked(lambda name=name: move(name)) for name in names]
    os.close(gate_read)
    os.close(gate_write)
    for mover in movers:
        os.waitpid(mover, 0)


def killed(before: str, function: str, change: int, name: str) -> None:
    def kill(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def move() -> None:
        if function == "finish":
            move_production.ledger = SimpleNamespace(**{**vars(move_production.ledger), "finish": kill})
        else:
            setattr(move_production, function, kill)
        move_production.move(find_version(name), before, change, "promotion")

    _, status = os.waitpid(forked(move), 0)
    os.write(1, f"{name} ended by signal {os.WTERMSIG(status)}\n".encode())


if __name__ == "__main__":
    mode, *arguments = sys.argv[1:]
    if mode == "race":
        race(int(arguments[0]), arguments[1], arguments[2:])
    for point in arguments[1:] if mode == "kill" else ():
        called, number, wanted = point.split(":")
        killed(arguments[0], called, int(number), wanted)
