"""How long one question takes at the gateway's `/search`, one after another, without other load.

    python -m benchmarks.search_latency [--bundle DIR] [--questions 50] [--depth 20] [--in-process]

The questions are the natural ones of questions.csv, each asked without and with reranking in turn, so that a slow spell
hits both. The budget for reranking is 30 s here, so that nothing falls back, and a reranker that validation gave no
share is given one. The first stage without any server, on the same questions in the same run, stands beside them.
Without --bundle the newest trained retriever is served.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import httpx

from deployment.bundle import Bundle, open_bundle
from deployment.local_bundles import bundle_of, trained_folder
from deployment.serve import Ports, serving
from retrieval.data.soict import read_questions
from retrieval.folders import write_folder
from retrieval.runtime import choose_runtime
from retrieval.search.settings import write_settings

_WARM_UP_QUESTIONS = 3


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def percentiles(name: str, spent: Sequence[float]) -> str:
    milliseconds = sorted(1000.0 * value for value in spent)
    p95 = milliseconds[min(len(milliseconds) - 1, round(0.95 * len(milliseconds)))]
    return f"{name:<44} p50 {statistics.median(milliseconds):7.1f} ms   p95 {p95:7.1f} ms"


def served(bundle: Bundle, questions: Sequence[str], depth: int, in_process: bool) -> dict[str, list[float]]:
    """Seconds of each question at a gateway, without and with reranking."""
    os.environ["RETRIEVER_RERANK_DEPTH"], os.environ["RETRIEVER_RERANK_BUDGET_SECONDS"] = str(depth), "30"
    ports = Ports(0, 0, 0).claimed(in_process)
    spent: dict[str, list[float]] = {"search": [], f"search, {depth} reranked": []}
    with (
        tempfile.TemporaryDirectory() as logs,
        serving(bundle.folder.absolute(), ports, in_process, bundle.has_cross_encoder, Path(logs)) as started,
        httpx.Client(base_url=started.gateway.url, timeout=120) as client,
    ):

        def ask(question: str, rerank: bool) -> None:
            answer = client.post("/search", json={"question": question, "rerank": rerank}).raise_for_status().json()
            if answer["reranked"] != rerank:
                raise SystemExit(f"not reranked: {answer['fallback_reason']}")

        for question in questions[:_WARM_UP_QUESTIONS]:
            ask(question, True)
        for question in questions:
            for name, rerank in zip(spent, (False, True), strict=True):
                spent[name].append(seconds(lambda question=question, rerank=rerank: ask(question, rerank)))
    return spent


def bare(bundle: Bundle, questions: Sequence[str]) -> list[float]:
    """Seconds of each question in the first stage without any server."""
    retriever = bundle.retriever(choose_runtime(), rerank=False)
    for question in questions[:_WARM_UP_QUESTIONS]:
        retriever.search(question)
    return [seconds(lambda question=question: retriever.search(question)) for question in questions]


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
    print(percentiles("first stage, no server", bare(bundle, questions)))
    with tempfile.TemporaryDirectory() as folder:
        asked = with_share(bundle, Path(folder))
        for name, spent in served(asked, questions, options.depth, options.in_process).items():
            print(percentiles(f"{name} ({'one process' if options.in_process else 'three processes'})", spent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
