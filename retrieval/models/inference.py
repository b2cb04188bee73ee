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
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from retrieval.models.batching import pad, token_budget_batches
from retrieval.models.packed import PackedEncoder, pack
from retrieval.models.pooling import pool
from retrieval.models.tokenization import TextTokenizer
from retrieval.runtime import Runtime

_logger = logging.getLogger(__name__)

Rows: TypeAlias = Sequence[Sequence[int]]
Result = TypeVar("Result")
# Tokens in one forward. Padding wastes 3 % at 2,048 and 6 % at 4,096; packed rows have none, and 1,024 tokens of the
# widest layer stay in a shared cache while they already feed one core well.
_PADDED_BUDGET = 4096
_PACKED_BUDGETS = {torch.float32: 1024, torch.bfloat16: 2048}
_SMALLEST_BUDGET = 256
# Cosine to the plain float32 forward below which a packed one is not used.
_AGREEMENT = {torch.float32: 0.99999, torch.bfloat16: 0.999}
_PROBE_TOKENS = 24
_SAMPLE = 32
_FEW_TOKENS = 64
"""A question or two. Their products wait for memory, where weights laid out beforehand save a quarter of the time."""

_Fingerprint: TypeAlias = tuple[object, ...]
_packed: WeakKeyDictionary[nn.Module, dict[bool, tuple[_Fingerprint, PackedEncoder | None]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class HiddenStates:
    """Token vectors of some rows.

    Attributes:
        vectors: (B, T, D).
        mask: (B, T), 1 on real tokens; None where nothing is padded.
    """

    vectors: Tensor
    mask: Tensor | None

    def pool(self, kind: str) -> Tensor:
        """(B, D) float32, one vector a row; see `pooling.pool`."""
        return pool(self.vectors.float(), self.mask, kind)


@dataclass(frozen=True)
class Reader:
    """What turns rows into numbers.

    Attributes:
        backbone: A ``transformers`` encoder.
        tokenizer: Knows padding and token types.
        finish: From token vectors of b rows to (b, width).
        width: Numbers kept of each row.
        pairs: Whether rows are pairs, whose second text may have token type 1.
    """

    backbone: nn.Module
    tokenizer: TextTokenizer
    finish: Callable[[HiddenStates], Tensor]
    width: int
    pairs: bool = False


def run_rows(reader: Reader, rows: Rows, runtime: Runtime, label: str | None = None) -> NDArray[np.float32]:
    """Run every row through the backbone and keep what ``reader.finish`` makes of it.

    Args:
        reader: Backbone and what to do with its token vectors; its backbone is in evaluation mode during the call.
        rows: N rows of token ids, specials included.
        runtime: Device, precision and threads.
        label: Name of the progress bar; None shows none.

    Returns:
        (N, width) float32, in the order of ``rows``.
    """
    result = np.empty((len(rows), reader.width), dtype=np.float32)
    if not rows:
        return result
    training = reader.backbone.training
    if training:
        reader.backbone.eval()
    try:
        with tqdm(total=len(rows), desc=label, unit="text", disable=label is None) as bar:
            for batch, values in _batches(reader, rows, runtime):
                result[batch] = values
                bar.update(len(batch))
    finally:
        if training:
            reader.backbone.train()
    return result


def _batches(reader: Reader, rows: Rows, runtime: Runtime) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    lengths = [len(row) for row in rows]
    short = sum(lengths) <= _FEW_TOKENS and not any(one.requires_grad for one in reader.backbone.parameters())
    encoder = packed_encoder(reader.backbone, rows, runtime, short)
    if encoder is None:
        reader.backbone.to(runtime.device)
        for batch in reversed(token_budget_batches(lengths, _PADDED_BUDGET)):
            yield batch, _run_plain(reader, [rows[row] for row in batch], runtime)
        return
    batches = work_batches(lengths, encoder.precision, runtime)
    yield from spread(batches, lambda batch: _run_packed(reader, encoder, [rows[row] for row in batch]), runtime)


def work_batches(lengths: Sequence[int], precision: torch.dtype, runtime: Runtime) -> list[list[int]]:
    """Row numbers in batches for packed forwards, sized so that every thread has some.

    Longest first: memory peaks at once, and the workers end together on short batches.
    """
    share = -(-sum(lengths) // runtime.threads)
    budget = min(_PACKED_BUDGETS[precision], max(_SMALLEST_BUDGET, share))
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


@torch.inference_mode()
def _run_plain(reader: Reader, rows: Rows, runtime: Runtime) -> NDArray[np.float32]:
    """The backbone's own forward on a padded batch."""
    ids, mask = pad(rows, reader.tokenizer.pad_id)
    types = reader.tokenizer.token_types(ids) if reader.pairs else None
    full = None if bool(mask.all()) else mask.to(runtime.device)
    with torch.autocast(runtime.device.type, runtime.precision, enabled=runtime.autocast):
        output = reader.backbone(
            input_ids=ids.to(runtime.device),
            attention_mask=full,
            token_type_ids=None if types is None else types.to(runtime.device),
        )
    values: NDArray[np.float32] = reader.finish(HiddenStates(output.last_hidden_state, full)).float().cpu().numpy()
    return values


@torch.inference_mode()
def _run_packed(reader: Reader, encoder: PackedEncoder, rows: Rows) -> NDArray[np.float32]:
    """The packed forward on rows sorted by length."""
    types = reader.tokenizer.row_types(rows) if reader.pairs else None
    parts = [reader.finish(HiddenStates(part, None)) for part in encoder.forward(rows, types)]
    values: NDArray[np.float32] = torch.cat(parts).float().numpy()
    return values


def packed_encoder(backbone: nn.Module, rows: Rows, runtime: Runtime, short: bool = False) -> PackedEncoder | None:
    """The packed form of these very weights, or None where it cannot be used (no CPU, or not a BERT).

    Args:
        backbone: A ``transformers`` encoder in evaluation mode.
        rows: Some of the rows to come; the two forwards are compared on the first of them.
        runtime: Device and precision.
        short: For a few tokens at a time, at the price of a second copy of the layers' weights.
    """
    if runtime.device.type != "cpu":
        return None
    state = _fingerprint(backbone, runtime.precision)
    kept = _packed.setdefault(backbone, {})
    laid_out = short or runtime.precision != torch.float32
    if laid_out not in kept or kept[laid_out][0] != state:
        backbone.to(runtime.device)
        kept[laid_out] = (state, _first_that_agrees(backbone, rows, runtime, (True, False) if laid_out else (False,)))
    return kept[laid_out][1]


def _fingerprint(backbone: nn.Module, precision: torch.dtype) -> _Fingerprint:
    """What changes when the weights do: a fused optimiser moves neither a tensor's address nor its version.

    It touches no weight that does not learn; of those address and version tell enough, and are read at once.
    """
    weights = list(backbone.parameters())
    marks = tuple((weight.data_ptr(), weight._version) for weight in weights)
    samples = [weight.detach().view(-1)[:_SAMPLE] for weight in weights if weight.requires_grad]
    return precision, marks, torch.cat(samples).float().numpy().tobytes() if samples else b""


def _first_that_agrees(
    backbone: nn.Module, rows: Rows, runtime: Runtime, choices: Sequence[bool]
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
def _agreement(backbone: nn.Module, encoder: PackedEncoder, rows: Rows) -> float:
    """Smallest cosine between the plain and the packed mean vector of any row; -1 where one is not finite."""
    packed = torch.cat([part.float().mean(1) for part in encoder.forward(rows)])
    plain = [backbone(input_ids=torch.tensor([row])).last_hidden_state.float().mean(1) for row in rows]
    cosine = functional.cosine_similarity(packed, torch.cat(plain))
    return float(cosine.nan_to_num(nan=-1.0).min())
