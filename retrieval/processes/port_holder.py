"""Who listens on a port of this machine, where the system tells: a service of ours that was left over."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LISTENS = "0A"
_OURS = re.compile(r"\0-m\0deployment\.(\w+)")


@dataclass(frozen=True)
class Leftover:
    """A service of ours that holds a port.

    Attributes:
        name: Of its module, in words.
        process: Its id.
    """

    name: str
    process: int


def leftover_on(port: int, proc: Path = Path("/proc")) -> Leftover | None:
    """The service of ours that listens on a port; None where none does, or the system (not Linux) does not tell."""
    sockets = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listening(proc / "net" / table, port)}
    if not sockets:
        return None
    for process in proc.glob("[0-9]*"):
        with suppress(OSError):
            found = _OURS.search((process / "cmdline").read_text(errors="replace"))
            if found and any(str(link.readlink()) in sockets for link in (process / "fd").iterdir()):
                return Leftover(found[1].replace("_", " "), int(process.name))
    return None


def _listening(table: Path, port: int) -> list[str]:
    """Inodes of the sockets that listen on a port, from a table of the kernel."""
    with suppress(OSError):
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
        return [row[9] for row in rows if row[3] == _LISTENS and int(row[1].rpartition(":")[2], 16) == port]
    return []
