"""Both services under load beside infinity-emb, the same model and texts, interleaved on this machine; ratios.

    python -m venv /tmp/infinity && /tmp/infinity/bin/pip install 'infinity-emb[server,torch]==0.0.78'
    python -m benchmarks.serving --bundle DIR --infinity /tmp/infinity/bin/infinity_emb

Without ``--infinity`` only our own figures: rate under load beside the bare model's, overhead of one request, time
until ready, memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch

from benchmarks.plain_models import QUESTION, law_texts, write_plain_reranker
from deployment.bundle.format import open_bundle
from retrieval.models.cross_encoder import load_cross_encoder
from retrieval.processes.servers import LocalServer, free_port, running
from retrieval.runtime import Runtime, choose_runtime

MIN_COSINE = 0.999
"""Below it the two servers do not serve the same model; bfloat16 of one of them stays above it."""
_START_SECONDS = 300.0


@dataclass(frozen=True)
class Target:
    """A server and how to ask it for one text.

    Attributes:
        name: For the table.
        server: Where it answers.
        path: Of its endpoint.
        payload: From a text to the request.
        read: From an answer to its numbers.
    """

    name: str
    server: LocalServer
    path: str
    payload: Callable[[str], dict[str, Any]]
    read: Callable[[dict[str, Any]], list[float]]


def embedding(answer: dict[str, Any]) -> list[float]:
    values: list[float] = answer["data"][0]["embedding"]
    return values


def relevance(answer: dict[str, Any]) -> list[float]:
    return [float(answer["results"][0]["relevance_score"])]


@contextmanager
def ours(module: str, folder: Path, log: Path) -> Iterator[LocalServer]:
    """One of our services; says how long it took to be ready."""
    port, started = free_port(), time.monotonic()
    environment = {"RETRIEVER_BUNDLE": str(folder), "RETRIEVER_PORT": str(port), "RETRIEVER_STATES": str(log.parent)}
    command = [sys.executable, "-m", f"deployment.{module}"]
    with running(module, command, port, environment, log) as server:
        server.wait_until_ready("/ready", _START_SECONDS)
        print(f"{module:<28} ready after {time.monotonic() - started:6.1f} s, {memory_mib(server):6.0f} MiB resident")
        yield server


@contextmanager
def infinity(program: str, folder: Path, dtype: str, log: Path) -> Iterator[LocalServer]:
    """The peer, with its defaults but for the dtype."""
    port = free_port()
    command = [
        program, "v2", "--model-id", str(folder), "--engine", "torch", "--device", "cpu", "--dtype", dtype,
        "--port", str(port), "--host", "127.0.0.1",
    ]  # fmt: skip
    offline = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}
    with running(f"infinity {dtype}", command, port, offline, log) as server:
        server.wait_until_ready("/health", _START_SECONDS)
        yield server


def memory_mib(server: LocalServer) -> float:
    """Resident memory of a server."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def load(target: Target, texts: list[str], clients: int) -> tuple[float, list[list[float]]]:
    """Requests a second while ``clients`` ask one text at a time, and the answers in the order of the texts."""
    waiting = list(enumerate(texts))[::-1]
    answers: list[list[float]] = [[] for _ in texts]
    async with httpx.AsyncClient(
        base_url=target.server.url, timeout=600, limits=httpx.Limits(max_connections=clients)
    ) as http:

        async def ask() -> None:
            while waiting:
                position, text = waiting.pop()
                answer = await http.post(target.path, json=target.payload(text))
                answer.raise_for_status()
                answers[position] = target.read(answer.json())

        started = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(clients)))
        return len(texts) / (time.perf_counter() - started), answers


def compare(targets: list[Target], offline: Callable[[list[str]], object], texts: list[str], given: Any) -> bool:  # noqa: ANN401
    """Rates in interleaved rounds, the bare model among them; False if the results differ."""
    rates: dict[str, list[float]] = {"bare model, offline": [], **{target.name: [] for target in targets}}
    found: dict[str, list[list[float]]] = {}
    for target in targets:
        asyncio.run(load(target, texts[: given.clients], given.clients))  # warm
    offline(texts[:8])
    for _ in range(given.rounds):
        started = time.perf_counter()
        offline(texts)
        rates["bare model, offline"].append(len(texts) / (time.perf_counter() - started))
        for target in targets:
            rate, found[target.name] = asyncio.run(load(target, texts, given.clients))
            rates[target.name].append(rate)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    mine = medians[targets[0].name]
    for name, rate in medians.items():
        print(f"  {name:<28} {rate:8.1f} requests/s   ours is {mine / rate:5.2f} x")
    rounded = choose_runtime().precision == torch.bfloat16
    return all(
        agree(found[targets[0].name], found[target.name], target.name, rounded or "bfloat16" in target.name)
        for target in targets[1:]
    )


def agree(mine: list[list[float]], theirs: list[list[float]], name: str, rounded: bool) -> bool:
    """Whether two servers answer alike; ``rounded`` where one of them computes in bfloat16."""
    one, two = np.array(mine), np.array(theirs)
    if one.shape[1] == 1:
        worst = float(np.abs(one - two).max())
        print(f"  {name:<28} largest difference of a score {worst:.6f}")
        return worst < (0.05 if rounded else 0.002)
    cosine = (one * two).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)
    print(f"  {name:<28} smallest cosine {cosine.min():.6f}")
    return bool(cosine.min() > MIN_COSINE)


def overhead(target: Target, bare: Callable[[str], object], questions: list[str]) -> None:
    """One question at a time: the whole request beside the bare call, interleaved."""
    spent: dict[str, list[float]] = {"bare": [], "request": []}
    with httpx.Client(base_url=target.server.url, timeout=60) as http:
        for question in [questions[0], *questions]:
            started = time.perf_counter()
            bare(question)
            between = time.perf_counter()
            http.post(target.path, json=target.payload(question)).raise_for_status()
            spent["bare"].append(between - started)
            spent["request"].append(time.perf_counter() - between)
    one, two = (1000 * statistics.median(values[1:]) for values in spent.values())
    print(f"  one question: bare call {one:.1f} ms, request {two:.1f} ms, overhead {two - one:.1f} ms (medians)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--infinity", help="its program, in an environment of its own")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"], help="of the peer")
    parser.add_argument("--only", nargs="+", choices=["embeddings", "rerank"], default=["embeddings", "rerank"])
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--syllables", type=int, default=150)
    given = parser.parse_args()
    runtime, texts = choose_runtime(), law_texts(given.requests, given.syllables)
    precision, busy = str(runtime.precision).removeprefix("torch."), os.getloadavg()[0]
    print(
        f"{given.requests} texts of about {given.syllables} syllables, {given.clients} clients, load average {busy:.1f}"
    )
    print(f"{runtime.threads} threads, {precision}")
    with tempfile.TemporaryDirectory() as scratch:
        parts = {"embeddings": embeddings, "rerank": reranking}
        same = [parts[name](given, texts, runtime, Path(scratch)) for name in given.only]
    return int(not all(same))


def embeddings(given: Any, texts: list[str], runtime: Runtime, scratch: Path) -> bool:  # noqa: ANN401
    print("/v1/embeddings")
    encoder = open_bundle(given.bundle).bi_encoder()
    prefix = encoder.settings.passage_prefix
    with ExitStack() as stack:
        mine = stack.enter_context(ours("bi_encoder_service", given.bundle, scratch / "bi.log"))
        targets = [
            Target("ours", mine, "/v1/embeddings", lambda text: {"input": text, "input_type": "passage"}, embedding)
        ]
        for dtype in given.dtypes if given.infinity else []:
            peer = stack.enter_context(infinity(given.infinity, given.bundle / "bi-encoder", dtype, scratch / dtype))
            prefixed = lambda text: {"input": prefix + text, "model": "bi-encoder"}  # noqa: E731
            targets.append(Target(f"infinity-emb {dtype}", peer, "/embeddings", prefixed, embedding))
        same = compare(targets, lambda batch: encoder.encode_passages(batch, runtime), texts, given)
        questions = [" ".join(text.split()[:12]) for text in texts[:40]]
        asked = Target("ours", mine, "/v1/embeddings", lambda text: {"input": text}, embedding)
        overhead(asked, lambda text: encoder.encode_queries([text], runtime), questions)
        print(f"  bi-encoder service after it  {memory_mib(mine):8.0f} MiB resident")
    return same


def reranking(given: Any, texts: list[str], runtime: Runtime, scratch: Path) -> bool:  # noqa: ANN401
    print("/v1/rerank, a question and one text, a model that reads both together (what the peer can load)")
    plain = write_plain_reranker(scratch / "plain")
    model = load_cross_encoder(plain)
    model.save(scratch / "cross-encoder")
    with ExitStack() as stack:
        mine = stack.enter_context(ours("cross_encoder_service", scratch / "cross-encoder", scratch / "cross.log"))

        def payload(text: str) -> dict[str, Any]:
            return {"query": QUESTION, "documents": [text]}

        targets = [Target("ours", mine, "/v1/rerank", payload, relevance)]
        for dtype in given.dtypes if given.infinity else []:
            peer = stack.enter_context(infinity(given.infinity, plain, dtype, scratch / f"re-{dtype}"))
            targets.append(
                Target(
                    f"infinity-emb {dtype}", peer, "/rerank", lambda text: payload(text) | {"model": "plain"}, relevance
                )
            )
        return compare(targets, lambda batch: model.score([(QUESTION, text) for text in batch], runtime), texts, given)


if __name__ == "__main__":
    torch.manual_seed(0)
    sys.exit(main())
