"""Evaluation forwards: rows of token ids through a backbone, batch by batch, as fast as the processor allows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from retrieval.models.backbone.batching import CPU_PASS_TOKENS, SMALLEST_SHARE_TOKENS, token_budget_batches
from retrieval.models.backbone.bert import BertBackbone
from retrieval.models.backbone.cpu_inference import PackedEncoder, pack
from retrieval.models.backbone.pooling import pool_rows
from retrieval.models.backbone.protocol import Backbone
from retrieval.models.tokenizer.text_tokenizer import TextTokenizer
from retrieval.runtime import Runtime

_logger = logging.getLogger(__name__)

Rows: TypeAlias = Sequence[Sequence[int]]
Result = TypeVar("Result")
Forward: TypeAlias = Callable[[Rows, Rows | None], Tensor]
"""From rows of token ids, and their token types, to (N, D) token vectors."""
_DEVICE_BUDGET = 4096
"""Tokens in one padded forward."""
# Cosine to the plain float32 forward below which a packed one is not used.
_AGREEMENT = {torch.float32: 0.99999, torch.bfloat16: 0.999}
_PROBE_TOKENS = 24
_SAMPLE = 32
_FEW_TOKENS = 64
"""A question or two. Their products wait for memory, where weights laid out beforehand save a quarter of the time."""

_Fingerprint: TypeAlias = tuple[object, ...]
_packed: WeakKeyDictionary[BertBackbone, dict[bool, tuple[_Fingerprint, PackedEncoder | None]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Reader:
    """What turns rows into numbers.

    Attributes:
        backbone: The encoder.
        tokenizer: Knows token types.
        finish: From token vectors (N, D) of b rows of token ids, and those rows, to (b, width).
        width: Numbers kept of each row.
        pairs: Whether rows are pairs, whose second text may have token type 1.
    """

    backbone: Backbone
    tokenizer: TextTokenizer
    finish: Callable[[Tensor, Rows], Tensor]
    width: int
    pairs: bool = False


def run_rows(reader: Reader, rows: Rows, runtime: Runtime, label: str | None = None) -> NDArray[np.float32]:
    """Run every row through the backbone and keep what ``reader.finish`` makes of it.

    Args:
        reader: Backbone and what to do with its token vectors.
        rows: N rows of token ids, specials included.
        runtime: Device, precision and threads.
        label: Name of the progress bar; None shows none.

    Returns:
        (N, width) float32, in the order of ``rows``.
    """
    result = np.empty((len(rows), reader.width), dtype=np.float32)
    if not rows:
        return result
    with tqdm(total=len(rows), desc=label, unit="text", disable=label is None) as bar:
        for batch, values in _batches(reader, rows, runtime):
            result[batch] = values
            bar.update(len(batch))
    return result


def _batches(reader: Reader, rows: Rows, runtime: Runtime) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    lengths = [len(row) for row in rows]
    short = sum(lengths) <= _FEW_TOKENS and not any(one.requires_grad for one in reader.backbone.parameters())
    encoder = packed_encoder(reader.backbone, rows, runtime, short)
    if encoder is None:
        plain = _plain_forward(reader.backbone, runtime)
        for batch in reversed(token_budget_batches(lengths, _DEVICE_BUDGET)):
            yield batch, _read(reader, plain, [rows[row] for row in batch])
        return
    batches = work_batches(lengths, encoder.precision, runtime)
    yield from spread(batches, lambda batch: _read(reader, encoder, [rows[row] for row in batch]), runtime)


def _plain_forward(backbone: Backbone, runtime: Runtime) -> Forward:
    """The backbone as it is, on the runtime's device and in its precision."""
    backbone.to(runtime.device)

    def forward(rows: Rows, types: Rows | None) -> Tensor:
        with torch.autocast(runtime.device.type, runtime.precision, enabled=runtime.autocast):
            hidden: Tensor = backbone(rows, types)
        return hidden

    return forward


@torch.inference_mode()
def _read(reader: Reader, forward: Forward, rows: Rows) -> NDArray[np.float32]:
    """What the reader makes of rows sorted by length."""
    types = reader.tokenizer.row_types(rows) if reader.pairs else None
    kept = reader.finish(forward(rows, types), rows)
    values: NDArray[np.float32] = kept.float().cpu().numpy()
    return values


def work_batches(lengths: Sequence[int], precision: torch.dtype, runtime: Runtime) -> list[list[int]]:
    """Row numbers in batches for packed forwards, sized so that every thread has some.

    Longest first: memory peaks at once, and the workers end together on short batches.
    """
    share = -(-sum(lengths) // runtime.threads)
    budget = min(CPU_PASS_TOKENS[precision], max(SMALLEST_SHARE_TOKENS, share))
    return token_budget_batches(lengths, budget)[::-1]


def spread(
    batches: Sequence[list[int]], work: Callable[[list[int]], Result], runtime: Runtime
) -> Iterator[tuple[list[int], Result]]:
    """Batches over workers of one thread each, which wait for each other less than threads inside an operator do."""
    workers = min(runtime.threads, len(batches))
    if workers == 1:
        for batch in batches:
            yield batch, work(batch)
        return
    executor = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    try:
        pending = {executor.submit(work, batch): batch for batch in batches}
        for future in as_completed(pending):
            yield pending[future], future.result()
    finally:
        executor.shutdown(cancel_futures=True)
        torch.set_num_threads(runtime.threads)


def packed_encoder(backbone: Backbone, rows: Rows, runtime: Runtime, short: bool = False) -> PackedEncoder | None:
    """The packed form of these very weights, or None where it cannot be used.

    That is so on another device than the CPU, of a model that is not of the BERT family, or of another activation.

    Args:
        backbone: The encoder.
        rows: Some of the rows to come; the two forwards are compared on the first of them.
        runtime: Device and precision.
        short: For a few tokens at a time, at the price of a second copy of the layers' weights.
    """
    if runtime.device.type != "cpu" or not isinstance(backbone, BertBackbone):
        return None
    state = _fingerprint(backbone, runtime.precision)
    kept = _packed.setdefault(backbone, {})
    laid_out = short or runtime.precision != torch.float32
    if laid_out not in kept or kept[laid_out][0] != state:
        backbone.to(runtime.device)
        kept[laid_out] = (state, _first_that_agrees(backbone, rows, runtime, (True, False) if laid_out else (False,)))
    return kept[laid_out][1]


def _fingerprint(backbone: BertBackbone, precision: torch.dtype) -> _Fingerprint:
    """What changes when the weights do: a fused optimiser moves neither a tensor's address nor its version.

    It touches no weight that does not learn; of those address and version tell enough, and are read at once.
    """
    weights = list(backbone.parameters())
    marks = tuple((weight.data_ptr(), weight._version) for weight in weights)
    samples = [weight.detach().view(-1)[:_SAMPLE] for weight in weights if weight.requires_grad]
    return precision, marks, torch.cat(samples).float().numpy().tobytes() if samples else b""


def _first_that_agrees(
    backbone: BertBackbone, rows: Rows, runtime: Runtime, choices: Sequence[bool]
) -> PackedEncoder | None:
    probe = sorted((row[:_PROBE_TOKENS] for row in islice(rows, 3)), key=len)
    for private_operators in choices:
        try:
            encoder = pack(backbone, runtime.precision, private_operators)
            agreement = _agreement(backbone, encoder, probe)
        except (RuntimeError, AttributeError, KeyError) as error:
            _logger.info("packed forward (private operators: %s) not available: %s", private_operators, error)
            continue
        if agreement >= _AGREEMENT[runtime.precision]:
            return encoder
        _logger.warning("packed forward differs from the plain one (cosine %.5f); the plain one is used", agreement)
    return None


@torch.inference_mode()
def _agreement(backbone: BertBackbone, encoder: PackedEncoder, rows: Rows) -> float:
    """Smallest cosine between the plain and the packed mean vector of any row; -1 where one is not finite."""
    lengths = [len(row) for row in rows]
    packed, plain = (pool_rows(each(rows), lengths, "mean") for each in (encoder, backbone))
    cosine = functional.cosine_similarity(packed, plain)
    return float(cosine.nan_to_num(nan=-1.0).min())
