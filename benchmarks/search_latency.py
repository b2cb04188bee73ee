"""How long one question takes at the gateway's `/search`, one after another, without other load.

    python -m benchmarks.search_latency [--bundle DIR] [--questions 50] [--depth 20] [--in-process]

The questions are the natural ones of questions.csv, each asked without and with reranking in turn, so that a slow spell
hits both. The budget for reranking is 30 s here, so that nothing falls back, and a reranker that validation gave no
share is given one. The first stage without any server, on the same questions in the same run, stands beside them.
Without --bundle the newest trained retriever is served.

Reranking takes several times as long where the law was not read beforehand
(python -m deployment.engine.precomputed_states): the second line says which case was measured, `passage_states` in the
last line too, which is JSON. RETRIEVER_STATES=DIR with an empty folder measures the slow case on a machine that has the
fast one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx

from deployment.bundle.format import Bundle, open_bundle
from deployment.bundle.local import bundle_of, trained_folder
from deployment.serve.command import Ports, serving
from deployment.serve.settings import read_serve_settings
from retrieval.data.sources.soict import read_questions
from retrieval.folders import write_folder
from retrieval.runtime import choose_runtime
from retrieval.search.settings import write_settings

_WARM_UP_QUESTIONS = 3


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def percentiles(spent: Sequence[float]) -> dict[str, float]:
    """p50 and p95, milliseconds."""
    milliseconds = sorted(1000.0 * value for value in spent)
    p95 = milliseconds[min(len(milliseconds) - 1, round(0.95 * len(milliseconds)))]
    return {"p50_ms": round(statistics.median(milliseconds), 1), "p95_ms": round(p95, 1)}


def line(name: str, found: Mapping[str, float]) -> str:
    return f"{name:<44} p50 {found['p50_ms']:7.1f} ms   p95 {found['p95_ms']:7.1f} ms"


def passage_states(client: httpx.Client) -> str:
    """Whether the law was read for the reranker beforehand: known, missing, or none where nothing can be."""
    while True:
        states = client.get("/ready").raise_for_status().json()["passage_states"]
        if states is None or states["status"] != "being_looked_for":
            found = "none" if states is None else str(states["status"])
            counted = "" if states is None else f", {states['known']:,} of {states['of']:,} passages"
            print(f"law read beforehand: {found}{counted}")
            return found
        time.sleep(0.5)


def served(
    bundle: Bundle, questions: Sequence[str], depth: int, in_process: bool
) -> tuple[dict[str, list[float]], str]:
    """Seconds of each question at a gateway, without and with reranking, and what `passage_states` found."""
    os.environ["RETRIEVER_RERANK_DEPTH"], os.environ["RETRIEVER_RERANK_BUDGET_SECONDS"] = str(depth), "30"
    ports, user = Ports(0, 0, 0).claimed(in_process), read_serve_settings()
    headers = {"authorization": f"Bearer {user.settings.keys()[0]}"} if user.keyed else {}
    spent: dict[str, list[float]] = {"search": [], f"search, {depth} reranked": []}
    with (
        tempfile.TemporaryDirectory() as logs,
        serving(bundle.folder.absolute(), ports, in_process, bundle.has_cross_encoder, Path(logs), user) as started,
        httpx.Client(base_url=started.gateway.url, timeout=120, headers=headers) as client,
    ):

        def ask(question: str, rerank: bool) -> None:
            answer = client.post("/search", json={"question": question, "rerank": rerank}).raise_for_status().json()
            if answer["reranked"] != rerank:
                raise SystemExit(f"not reranked: {answer['fallback_reason']}")

        states = passage_states(client)
        for question in questions[:_WARM_UP_QUESTIONS]:
            ask(question, True)
        for question in questions:
            for name, rerank in zip(spent, (False, True), strict=True):
                spent[name].append(seconds(partial(ask, question, rerank)))
    return spent, states


def bare(bundle: Bundle, questions: Sequence[str]) -> list[float]:
    """Seconds of each question in the first stage without any server."""
    retriever = bundle.retriever(choose_runtime(), rerank=False)
    for question in questions[:_WARM_UP_QUESTIONS]:
        retriever.search(question)
    return [seconds(partial(retriever.search, question)) for question in questions]


def with_share(bundle: Bundle, folder: Path) -> Bundle:
    """The bundle, or one like it in ``folder`` whose reranker is asked."""
    settings = bundle.settings()
    if settings.rerank_weight or not bundle.has_cross_encoder:
        return bundle
    with write_folder(folder / "bundle") as staging:
        shutil.copytree(bundle.folder, staging, dirs_exist_ok=True)
        write_settings(replace(settings, rerank_weight=0.2), staging)
    return open_bundle(folder / "bundle")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="a bundle folder")
    parser.add_argument("--questions", type=int, default=50)
    parser.add_argument("--depth", type=int, default=20, help="articles reranked")
    parser.add_argument("--in-process", action="store_true", help="one process instead of three")
    options = parser.parse_args()
    bundle = open_bundle(options.bundle) if options.bundle else bundle_of(trained_folder())
    questions = [query.text for query in read_questions(Path("questions.csv"), "error")][: options.questions]
    print(f"{len(questions)} questions, index {bundle.facts.index}, load average {os.getloadavg()[0]:.1f} at the start")
    alone = percentiles(bare(bundle, questions))
    print(line("first stage, no server", alone))
    with tempfile.TemporaryDirectory() as folder:
        spent, states = served(with_share(bundle, Path(folder)), questions, options.depth, options.in_process)
    plain, reranked = map(percentiles, spent.values())
    for name, found in zip(spent, (plain, reranked), strict=True):
        print(line(f"{name} ({'one process' if options.in_process else 'three processes'})", found))
    facts = {"benchmark": "search_latency", "questions": len(questions), "index": bundle.facts.index}
    how = {"depth": options.depth, "in_process": options.in_process, "passage_states": states}
    print(json.dumps({**facts, **how, "first_stage": alone, "search": plain, "search_reranked": reranked}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
