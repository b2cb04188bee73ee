"""What metrics and access log cost a request: a bi-encoder service as it is beside the same without them, interleaved.

    python -m benchmarks.instrumentation --bundle DIR

Both services answer on this machine at once; short blocks of requests go to one and the other in turn, one client after
the other (milliseconds a request) and many at once (requests a second). Also counts the series of the measured service.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from benchmarks.plain_models import QUESTION
from deployment.bundle.local import NEWEST, bundle_of, trained_folder
from retrieval.processes.servers import LocalServer, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

_WITHOUT = "--serve-without"
_START_SECONDS = 300.0
_MODULE = "deployment.bi_encoder_service"


def serve_without() -> int:
    """The service without metrics and log; its /metrics page is empty of counts."""
    from deployment.bi_encoder_service.__main__ import main as serve
    from monitoring.endpoint_metrics import EndpointMetrics

    for name in ("answered", "failed", "rejected", "waited", "waiting", "computed", "read", "truncated", "spent"):
        setattr(EndpointMetrics, name, lambda *_, **__: None)
    logging.disable(logging.CRITICAL)
    return serve()


@contextmanager
def service(bundle: Path, log: Path, *command: str) -> Iterator[LocalServer]:
    port = free_port()
    environment = {"RETRIEVER_BUNDLE": str(bundle), "RETRIEVER_PORT": str(port)}
    with running(log.stem, [sys.executable, *command], port, environment, log) as server:
        server.wait_until_ready("/ready", _START_SECONDS)
        yield server


def payload(number: int) -> dict[str, object]:
    return {"action": "embed", "text": f"{QUESTION} {number}"}


def one_by_one(client: httpx.Client, requests: int) -> float:
    """Median milliseconds of a request."""
    spent = []
    for number in range(requests):
        started = time.perf_counter()
        client.post("/infer", json=payload(number)).raise_for_status()
        spent.append(1000 * (time.perf_counter() - started))
    return statistics.median(spent)


async def together(url: str, requests: int, clients: int) -> float:
    """Requests a second of many clients."""
    left = iter(range(requests))
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=httpx.Limits(max_connections=clients)) as client:

        async def ask() -> None:
            for number in left:
                (await client.post("/infer", json=payload(number))).raise_for_status()

        started = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(clients)))
        return requests / (time.perf_counter() - started)


def cpu_seconds(server: LocalServer) -> float:
    """Of a server's process so far, which other work on this machine disturbs less than the clock."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def series(server: LocalServer) -> int:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return sum(not line.startswith("#") for line in lines)


def scrape_ms(server: LocalServer) -> float:
    """Median milliseconds of a scrape."""
    spent = []
    for _ in range(20):
        started = time.perf_counter()
        httpx.get(f"{server.url}/metrics", headers={"accept": "application/openmetrics-text"})
        spent.append(1000 * (time.perf_counter() - started))
    return statistics.median(spent)


def main() -> int:
    if sys.argv[1:2] == [_WITHOUT]:
        return serve_without()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="default the newest trained retriever")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--requests", type=int, default=400, help="in a block")
    parser.add_argument("--clients", type=int, default=16)
    given = parser.parse_args()
    bundle = (given.bundle or bundle_of(trained_folder(NEWEST)).folder).absolute()
    print(f"{given.rounds} rounds of {given.requests} requests, load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as opened:
        on = opened.enter_context(service(bundle, Path(scratch) / "with.log", "-m", _MODULE))
        off = opened.enter_context(
            service(bundle, Path(scratch) / "without.log", "-m", "benchmarks.instrumentation", _WITHOUT)
        )
        figures = compare(on, off, given.rounds, given.requests, given.clients)
        figures |= {"series": series(on), "scrape_ms": round(scrape_ms(on), 2)}
    print(json.dumps(figures))
    return 0


def compare(on: LocalServer, off: LocalServer, rounds: int, requests: int, clients: int) -> dict[str, float]:
    """Both ways of asking, in interleaved blocks whose order changes with each round; medians of the rounds."""
    added, ratios, works = [], [], []
    with httpx.Client(base_url=on.url, timeout=60) as first, httpx.Client(base_url=off.url, timeout=60) as second:
        one_by_one(first, requests), one_by_one(second, requests)  # warm
        for number in range(rounds):
            pair = [(first, on.url), (second, off.url)][:: 1 if number % 2 else -1]
            spent = {url: one_by_one(client, requests) for client, url in pair}
            before = {one.url: cpu_seconds(one) for one in (on, off)}
            rates = {url: asyncio.run(together(url, requests, clients)) for _, url in pair}
            work = {one.url: cpu_seconds(one) - before[one.url] for one in (on, off)}
            works.append(work[on.url] / work[off.url])
            added.append(spent[on.url] - spent[off.url])
            ratios.append(rates[on.url] / rates[off.url])
    print(f"  one by one: {statistics.median(added):+.3f} ms a request; together: {statistics.median(ratios):.3f} x")
    return {
        "rounds": rounds,
        "added_ms": round(statistics.median(added), 4),
        "cpu_ratio": round(statistics.median(works), 4),
        "throughput_ratio": round(statistics.median(ratios), 4),
        "throughput_ratio_low": round(statistics.quantiles(ratios, n=10)[0], 4),
        "throughput_ratio_high": round(statistics.quantiles(ratios, n=10)[-1], 4),
    }


if __name__ == "__main__":
    sys.exit(main())
