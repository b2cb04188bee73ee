"""Passages encoded a second: ours against sentence-transformers, same model, texts, threads and machine.

    python -m benchmarks.encoding [--passages 512] [--rounds 5] [--threads 0] [--model bundled:multilingual-e5-small]

Two peers: sentence-transformers with its defaults, and with the best of its own settings found here (batch size, and
bfloat16 weights where the processor multiplies in it). Rounds are interleaved, so a slow spell hits all three; the
table gives medians. Ends with exit code 1 when the vectors differ from the peer's (cosine 0.999 or below).
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from retrieval.config.schema import BiEncoderConfig
from retrieval.data.sources.bundled_codes import load_bundled
from retrieval.models.bi_encoder import BiEncoder, bi_encoder_from
from retrieval.runtime import Runtime, choose_runtime, has_fast_bfloat16

BATCH_SIZES = (4, 8, 16, 32, 64)
TRIAL_SHARE = 0.25
MIN_COSINE = 0.999

Encode = Callable[[list[str]], NDArray[np.float32]]


def load_peer(folder: Path, encoder: BiEncoder, dtype: torch.dtype) -> SentenceTransformer:
    """sentence-transformers on the same weights, cut at the same length."""
    options = {"dtype": dtype, "add_pooling_layer": False}
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs=options)
    model.max_seq_length = encoder.settings.max_passage_tokens
    return model


def peer(model: SentenceTransformer, prefix: str, batch_size: int) -> Encode:
    """One of the peer's ways to encode; 32 is its default batch size."""

    def encode(texts: list[str]) -> NDArray[np.float32]:
        tensor = model.encode(
            texts, prompt=prefix, batch_size=batch_size, convert_to_tensor=True, show_progress_bar=False
        )
        return tensor.float().cpu().numpy()

    return encode


def seconds(encode: Encode, texts: list[str]) -> float:
    start = time.perf_counter()
    encode(texts)
    return time.perf_counter() - start


def best_peer(folder: Path, encoder: BiEncoder, texts: list[str]) -> tuple[str, Encode]:
    """The fastest of the peer's settings on a share of the texts, warmed up first."""
    dtypes = [torch.float32, *([torch.bfloat16] if has_fast_bfloat16() else [])]
    trial = texts[: max(16, int(len(texts) * TRIAL_SHARE))]
    timed = []
    for dtype in dtypes:
        model = load_peer(folder, encoder, dtype)
        peer(model, encoder.settings.passage_prefix, 4)(trial[:4])
        for batch_size in BATCH_SIZES:
            encode = peer(model, encoder.settings.passage_prefix, batch_size)
            timed.append((seconds(encode, trial), f"{dtype} batch {batch_size}", encode))
    _, name, encode = min(timed, key=lambda item: item[0])
    return name.replace("torch.", ""), encode


def measure(runners: dict[str, Encode], texts: list[str], rounds: int) -> dict[str, float]:
    """Median passages a second of each runner over interleaved rounds."""
    spent: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, encode in runners.items():
            spent[name].append(seconds(encode, texts))
    return {name: len(texts) / statistics.median(values) for name, values in spent.items()}


def sample_passages(count: int, seed: int) -> list[str]:
    """Article bodies of the bundled codes, drawn by seed."""
    bodies = [article.body for article in load_bundled() if article.body.strip()]
    return random.Random(seed).sample(bodies, min(count, len(bodies)))


def report(rates: dict[str, float], cosines: NDArray[np.float32], texts: list[str], runtime: Runtime) -> None:
    ours = rates["ours"]
    print(f"{len(texts)} passages, {runtime.threads} threads, {str(runtime.precision).removeprefix('torch.')}")
    for name, rate in rates.items():
        print(f"{name:<44} {rate:8.1f} passages/s   ours is {ours / rate:5.2f} x")
    print(f"cosine to sentence-transformers: min {cosines.min():.6f}, mean {cosines.mean():.6f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0 takes one a core")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="bundled:multilingual-e5-small")
    options = parser.parse_args()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    runtime = choose_runtime(threads=options.threads)
    encoder = bi_encoder_from(BiEncoderConfig(base=options.model))
    texts = sample_passages(options.passages, options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        encoder.save(folder)
        default = peer(load_peer(folder, encoder, torch.float32), encoder.settings.passage_prefix, 32)
        name, best = best_peer(folder, encoder, texts)
    runners = {
        "ours": lambda batch: encoder.encode_passages(batch, runtime),
        "sentence-transformers defaults": default,
        f"sentence-transformers best ({name})": best,
    }
    vectors = [runners[key](texts[:64]) for key in list(runners)[:2]]
    cosines = (vectors[0] * vectors[1]).sum(1) / np.linalg.norm(vectors[0], axis=1) / np.linalg.norm(vectors[1], axis=1)
    report(measure(runners, texts, options.rounds), cosines, texts, runtime)
    return int(cosines.min() <= MIN_COSINE)


if __name__ == "__main__":
    sys.exit(main())
