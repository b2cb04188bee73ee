"""One bi-encoder training step against sentence-transformers on the same model, texts and batch: seconds and ratios.

    python -m benchmarks.training_step [--rounds 5] [--batch 32] [--threads 0]

A step tokenises, goes forward and backward, clips and lets AdamW update, as sentence-transformers' trainer does with
its defaults (the model's dropout of 0.1, every weight learning). Contenders take turns on each batch, medians count.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from torch import Tensor, nn

from retrieval.config.schema import BiEncoderConfig, DataConfig, TrainingConfig
from retrieval.data.passages import cut_passages
from retrieval.data.sources.bundled_codes import load_bundled
from retrieval.models.bi_encoder import BiEncoder, bi_encoder_from
from retrieval.runtime import Runtime, choose_runtime, has_fast_bfloat16
from retrieval.telemetry import telemetry_off
from retrieval.training.batches import RankingBatch, RankingPlan
from retrieval.training.bi_encoder import BiEncoderTask
from retrieval.training.examples import ArticleTexts
from retrieval.training.freezing import prepared
from retrieval.training.loop import make_optimizer

TEMPERATURE = 0.02
Step = Callable[[RankingBatch], None]


def batches_of(encoder: BiEncoder, count: int, size: int) -> list[RankingBatch]:
    """Titles against the lead passages of their articles, drawn by seed."""
    data = DataConfig()
    articles = [article for article in load_bundled() if article.title]
    drawn = np.random.default_rng(0).choice(len(articles), count * size, replace=False)
    chosen = tuple(articles[int(row)] for row in drawn)
    passages = cut_passages(chosen, encoder.tokenizer.offsets, data.passage_tokens, data.passage_overlap_tokens)
    first = {passage.cid: passage.text for passage in passages if passage.number == 0}
    eye, weights = np.eye(size, dtype=bool), np.ones(size, np.float32)
    groups = [chosen[start : start + size] for start in range(0, len(chosen), size)]
    return [
        RankingBatch(tuple(a.title for a in group), tuple(first[a.cid] for a in group), eye, ~eye & False, weights)
        for group in groups
    ]


def our_task(encoder: BiEncoder, size: int, runtime: Runtime) -> BiEncoderTask:
    """Our step's task; the plan is empty because the batches are given."""
    config = BiEncoderConfig(temperature=TEMPERATURE, training=TrainingConfig(batch_queries=size))
    plan = RankingPlan([], ArticleTexts({}, {}), {}, 0, "first", 0.0, size, 0)
    return BiEncoderTask(encoder, plan, config, runtime)


def peer_model(encoder: BiEncoder, folder: Path, dropout: bool) -> SentenceTransformer:
    """The same weights and tokenizer in sentence-transformers."""
    options = dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.1 if dropout else 0.0)
    transformer = Transformer(str(folder), config_kwargs=options, max_seq_length=encoder.settings.max_passage_tokens)
    pooling = Pooling(encoder.settings.dimension, encoder.settings.pooling)
    return SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu")


def peer_backward(model: SentenceTransformer, encoder: BiEncoder, bfloat16: bool) -> Callable[[RankingBatch], float]:
    """Tokenise, embed, loss and backward, as their trainer does."""
    loss_of = MultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE)
    settings = encoder.settings

    def backward(batch: RankingBatch) -> float:
        features = [
            model.preprocess([settings.query_prefix + text for text in batch.queries]),
            model.preprocess([settings.passage_prefix + text for text in batch.passages]),
        ]
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = loss_of(features, None)
        loss.backward()
        return float(loss.detach())

    return backward


def full_step(model: nn.Module, backward: Callable[[RankingBatch], float], optimizer: torch.optim.Optimizer) -> Step:
    """Backward, clip, update."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def step(batch: RankingBatch) -> None:
        backward(batch)
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def gradients(model: nn.Module, names: Sequence[str], prefix: str) -> Tensor:
    """Gradients of some of the backbone's weights as one vector."""
    found = dict(model.named_parameters())
    return torch.cat([found[prefix + name].grad.flatten() for name in names])  # type: ignore[union-attr]


def interleaved_seconds(steps: dict[str, Step], batches: Sequence[RankingBatch]) -> dict[str, list[float]]:
    """Seconds of every step; contenders take turns, the first batch only warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number, batch in enumerate(batches):
        for name, step in steps.items():
            started = time.perf_counter()
            step(batch)
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    telemetry_off()
    runtime = choose_runtime(threads=arguments.threads)
    bfloat16 = has_fast_bfloat16()
    encoder = bi_encoder_from(BiEncoderConfig())
    batches = batches_of(encoder, arguments.rounds + 1, arguments.batch)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        encoder.save(folder)
        defaults, best = (peer_model(encoder, folder, dropout) for dropout in (True, False))
    task = our_task(encoder, arguments.batch, runtime)
    with prepared(encoder, task.config.training):
        report(task, defaults, best, batches, bfloat16)


def report(
    task: BiEncoderTask,
    defaults: SentenceTransformer,
    best: SentenceTransformer,
    batches: Sequence[RankingBatch],
    bfloat16: bool,
) -> None:
    """Compare gradients on the first batch, then time, then print."""
    encoder = task.model
    defaults.train()
    best.train()
    backwards = {
        "sentence-transformers, defaults": (defaults, peer_backward(defaults, encoder, bfloat16=False)),
        "sentence-transformers, best": (best, peer_backward(best, encoder, bfloat16)),
        "ours": (encoder, task.backward),
    }
    learnt = [name for name, parameter in encoder.named_parameters() if parameter.requires_grad]
    names = [name.removeprefix("backbone.") for name in learnt if name.startswith("backbone.")]
    losses = task.backward(batches[0]), peer_backward(best, encoder, bfloat16=False)(batches[0])
    ours, theirs = gradients(encoder, names, "backbone."), gradients(best, names, "0.model.")
    cosine = float(nn.functional.cosine_similarity(ours.double(), theirs.double(), dim=0))
    steps = {}
    for name, (model, backward) in backwards.items():
        model.zero_grad(set_to_none=True)
        steps[name] = full_step(model, backward, make_optimizer(model, task.config.training))
    seconds = interleaved_seconds(steps, batches)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    tokens = [
        sum(map(len, encoder.tokenize_passages(b.passages) + encoder.tokenize_queries(b.queries))) for b in batches
    ]
    print(f"{len(batches[0].queries)} queries and passages a step, {np.mean(tokens):.0f} tokens,", end=" ")
    print(f"{task.runtime.threads} threads, precision {task.runtime.precision}, {len(batches) - 1} rounds")
    for name, value in median.items():
        print(f"{name:34} {value:7.2f} s   ours is {value / median['ours']:5.2f}x")
    print(
        f"gradient cosine, ours to theirs (float32, dropout 0): {cosine:.6f}; loss {losses[0]:.5f} and {losses[1]:.5f}"
    )


if __name__ == "__main__":
    main()
