"""Minutes of mixed load, bad requests among good ones: counts of every status, no 5xx, memory over the time.

python -m benchmarks.soak --bundle DIR --minutes 10
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.plain_models import QUESTION, law_texts
from benchmarks.serving import memory_mib, ours
from retrieval.processes.servers import LocalServer

_MOST_GROWTH = 1.03
"""Memory at the end over memory at half time, by when caches are full and the weights that are asked for are mapped."""
_READINGS = 10
_BAD = (
    b"{",
    b"\x00\xff" * 500,
    b"[" * 50_000,
    b'{"action": "embed", "text": NaN}',
    b'{"action": "embed", "text": "\\ud800"}',
    b'{"action": "nothing"}',
    b'{"action": "batch_embed", "texts": []}',
    b'{"query": "a", "documents": []}',
    b"x" * (5 << 20),
)


@dataclass
class Tally:
    """What came back.

    Attributes:
        statuses: Answers by service and status.
        unanswered: Requests that were sent and got no answer.
        left: Requests whose client did not wait.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    left: int = 0


async def client(server: LocalServer, texts: list[str], until: float, draw: random.Random, tally: Tally) -> None:
    """Ask one thing after another: four in five are good, some are bad, some leave early."""
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as http:
        while time.monotonic() < until:
            patience = 0.02 if draw.random() < 0.05 else 120.0
            try:
                answer = await http.post(**request(server, texts, draw), timeout=patience)
                tally.statuses[f"{server.name} {answer.status_code}"] += 1
            except httpx.TimeoutException:
                tally.left += 1
            except httpx.HTTPError as error:
                # a body above the limit may be refused while it is still being sent
                tally.unanswered += not isinstance(error, (httpx.WriteError, httpx.ReadError))


def request(server: LocalServer, texts: list[str], draw: random.Random) -> dict[str, Any]:
    """One request to a service, as httpx takes it."""
    if draw.random() < 0.2:
        path = draw.choice(("/infer", "/v1/embeddings", "/v1/rerank", "/nowhere"))
        return {"url": path, "content": draw.choice(_BAD), "headers": {"content-type": "application/json"}}
    if server.name == "bi_encoder_service":
        good: dict[str, Any] = draw.choice(
            (
                {"action": "embed", "text": draw.choice(texts)},
                {"action": "batch_embed", "texts": draw.sample(texts, 8), "input_type": "passage"},
                {"action": "search", "question": " ".join(draw.choice(texts).split()[:12]), "top_k": 10},
            )
        )
    else:
        documents = [{"text": text} for text in draw.sample(texts, 6)]
        good = {"action": "rerank", "query": QUESTION, "documents": documents}
    return {"url": "/infer", "json": good}


async def soak(servers: list[LocalServer], given: argparse.Namespace, tally: Tally) -> list[dict[str, float]]:
    """Run the load; gives memory by service, read at even intervals, the last time at the end."""
    texts, started = law_texts(200, 60), time.monotonic()
    until = started + 60.0 * given.minutes
    memory = []

    async def watch() -> None:
        for _ in range(_READINGS):
            await asyncio.sleep(60.0 * given.minutes / _READINGS)
            memory.append({server.name: memory_mib(server) for server in servers})

    clients = [
        client(servers[number % len(servers)], texts, until, random.Random(number), tally)
        for number in range(given.clients)
    ]
    await asyncio.gather(watch(), *clients)
    return memory


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=16)
    given, tally = parser.parse_args(), Tally()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        modules = ("bi_encoder_service", "cross_encoder_service")
        servers = [stack.enter_context(ours(one, given.bundle, Path(scratch) / one)) for one in modules]
        memory = asyncio.run(soak(servers, given, tally))
    for name, count in sorted(tally.statuses.items()):
        print(f"{name:<28} {count:8}")
    print(f"left before the answer       {tally.left:8}")
    print(f"sent and never answered      {tally.unanswered:8}")
    half, end = memory[_READINGS // 2 - 1], memory[-1]
    for name in end:
        print(f"{name:<28} MiB over the time {' '.join(f'{reading[name]:.0f}' for reading in memory)}")
    broken = any(name.rpartition(" ")[2].startswith("5") for name in tally.statuses)
    grown = any(end[name] > _MOST_GROWTH * half[name] for name in end)
    return int(broken or grown or tally.unanswered > 0)


if __name__ == "__main__":
    sys.exit(main())
