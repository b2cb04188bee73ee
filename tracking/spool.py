"""Records on their way to MLflow: written to a file first and sent in the background, so that none is lost.

Training never waits for MLflow and never fails because of it. What could not be sent stays in its file, and the next
command sends it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO

from retrieval.folders import write_file
from retrieval.paths import TRACKING
from tracking.connection import Tracker, cause, failures, refused
from tracking.runs import Record, RunFacts, in_words, open_run, write

logger = logging.getLogger(__name__)

_POLL_SECONDS, _LONGEST_WAIT_SECONDS = 1.0, 60.0


class Spool:
    """One step's records: `put` keeps them, a thread sends them, `close` tells what was not sent."""

    def __init__(self, tracker: Tracker, facts: RunFacts, name: str, root: Path = TRACKING) -> None:
        self.tracker, self.facts = tracker, facts
        self.path = root.absolute() / f"{name}.jsonl"
        self.folders = self.path.with_suffix("")
        self._records: list[Record] = []
        self._sent = 0
        self._lock, self._wake, self._closing = threading.Lock(), threading.Event(), False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self.path.open("a", encoding="utf-8")
        fcntl.flock(self._stream, fcntl.LOCK_EX)
        self._append({"uri": tracker.uri, "facts": asdict(facts)})
        self._thread = threading.Thread(target=self._send_until_closed, name="tracking", daemon=True)
        self._thread.start()

    def put(self, *records: Record) -> None:
        """Keep records and have them sent; a full disk loses the copy on it and nothing else."""
        with self._lock:
            self._records.extend(records)
            for record in records:
                with suppress(OSError):
                    self._append(record)

    def put_folder(self, folder: Path, name: str) -> None:
        """Keep a copy of a folder and have it sent."""
        copy = self.folders / name
        try:
            shutil.copytree(folder, copy, dirs_exist_ok=True)
        except OSError as error:
            logger.warning("%s: not kept for MLflow: %s", folder, error)
            return
        self.put({"folder": str(copy), "name": name})

    def close(self) -> str:
        """Send what is left, once; say what could not be sent, or nothing."""
        with self._lock:
            self._closing = True
        self._wake.set()
        self._thread.join()
        left = self._records[self._sent :]
        with suppress(OSError):
            if left:
                _rewrite(self.path, self.tracker, self.facts, left)
            else:
                self.path.unlink(missing_ok=True)
                shutil.rmtree(self.folders, ignore_errors=True)
        self._stream.close()
        return in_words(left) if left else ""

    def _append(self, record: Record) -> None:
        self._stream.write(json.dumps(record) + "\n")
        self._stream.flush()

    def _send_until_closed(self) -> None:
        run_id, wait, told = "", _POLL_SECONDS, False
        while True:
            self._wake.wait(wait)
            with self._lock:
                closing, batch = self._closing, self._records[self._sent :]
            try:
                if batch:
                    run_id = run_id or open_run(self.tracker, self.facts)[0]
                    send(self.tracker, run_id, batch)
                    self._sent += len(batch)
                wait = _POLL_SECONDS
            except failures() as error:
                if not told:
                    logger.warning("MLflow at %s: %s; what is measured is kept", self.tracker.uri, cause(error))
                wait, told = min(2 * wait, _LONGEST_WAIT_SECONDS), True
                if closing:
                    return
            if closing:
                return


def send(tracker: Tracker, run_id: str, records: list[Record]) -> None:
    """Send records together, or one by one where MLflow refuses one of them, which is then left out with a warning."""
    try:
        write(tracker, run_id, records)
    except failures() as error:
        if not refused(error):
            raise
        if len(records) == 1:
            logger.warning("MLflow refuses %s: %s", dict(records[0]), cause(error))
            return
        for record in records:
            send(tracker, run_id, [record])


def send_kept(tracker: Tracker, root: Path = TRACKING) -> list[str]:
    """Send what earlier runs could not, and close the runs of those that were killed.

    Args:
        tracker: Files for another one are left.
        root: Where the files lie.

    Returns:
        A line for each file that was sent.

    Raises:
        MlflowException: If MLflow is away; the files stay.
        OSError: If MLflow is away; the files stay.
    """
    lines = []
    for path in sorted(root.glob("*.jsonl")):
        with _unused(path) as stream:
            if stream is None:
                continue
            uri, facts, records = _read(stream)
            if facts is None or uri != tracker.uri:
                continue
            if not any("status" in record for record in records):
                records.append({"status": "KILLED"})
            run_id, _ = open_run(tracker, facts)
            send(tracker, run_id, records)
            path.unlink()
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            lines.append(f"sent to MLflow run {run_id} ({facts.name}): {in_words(records)}")
    return lines


def kept(root: Path = TRACKING) -> list[str]:
    """A line for each file that waits to be sent."""
    lines = []
    for path in sorted(root.glob("*.jsonl")):
        with _unused(path) as stream:
            uri, facts, records = _read(stream) if stream else ("", None, [])
            if facts is not None:
                lines.append(f"{facts.name}: {in_words(records)}, kept in {path} for MLflow at {uri}")
    return lines


@contextmanager
def _unused(path: Path) -> Iterator[IO[str] | None]:
    """The opened file, unless a running process still writes it or it is gone."""
    try:
        stream = path.open(encoding="utf-8")
    except FileNotFoundError:
        yield None
        return
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        yield stream


def _read(stream: IO[str]) -> tuple[str, RunFacts | None, list[Record]]:
    """Address, facts and records of a file; a last line that was cut short is left out."""
    lines = []
    for line in stream:
        with suppress(ValueError):
            lines.append(json.loads(line))
    if not lines or "facts" not in lines[0]:
        return "", None, []
    return str(lines[0]["uri"]), RunFacts(**lines[0]["facts"]), lines[1:]


def _rewrite(path: Path, tracker: Tracker, facts: RunFacts, records: list[Record]) -> None:
    lines: list[Record] = [{"uri": tracker.uri, "facts": asdict(facts)}, *records]
    with write_file(path) as staging:
        staging.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
