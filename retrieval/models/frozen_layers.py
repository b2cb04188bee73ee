"""An encoder cut in two: frozen lower layers, run once over every text, and the layers above that learn from there.

When only the upper layers learn, the lower ones give the same token vectors in every epoch, for the pretrained encoder
and for the trained one. Running them once leaves the upper layers' share of the arithmetic to everything that follows.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from retrieval.folders import write_file
from retrieval.models.backbone.batch_inference import Rows, packed_encoder, spread, work_batches
from retrieval.models.backbone.bert import BertBackbone
from retrieval.models.backbone.protocol import Backbone
from retrieval.models.bi_encoder import BiEncoder
from retrieval.runtime import Runtime

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TokenStates:
    """Token vectors of some rows after a model's lowest layers.

    Attributes:
        vectors: (N, D) float16, rows concatenated.
        bounds: Start and end of each row in ``vectors``, by its token ids.
        layers: Layers that have been run, the embeddings not counted.
    """

    vectors: NDArray[np.float16]
    bounds: Mapping[tuple[int, ...], tuple[int, int]]
    layers: int

    def of(self, row: Sequence[int]) -> Tensor:
        """(T, D) float16 token vectors of one row.

        Raises:
            KeyError: If the row is not among them.
        """
        start, end = self.bounds[tuple(row)]
        return torch.from_numpy(np.array(self.vectors[start:end]))


def can_be_cut(backbone: Backbone) -> bool:
    """Whether a backbone runs some of its layers alone: the BERT family does, other models of transformers do not."""
    return isinstance(backbone, BertBackbone)


def read_lower_layers(
    backbone: Backbone, rows: Rows, layers: int, runtime: Runtime, file: Path | None = None, label: str | None = None
) -> TokenStates | None:
    """Run the embeddings and the lowest layers of a backbone over rows of token ids.

    Args:
        backbone: The encoder.
        rows: Token ids, specials included; repeated rows are run once.
        layers: How many of the lowest layers to run.
        runtime: Device, precision and threads.
        file: Where the vectors are kept (.npy) and found again; None keeps them in memory.
        label: Name of the progress bar; None shows none.

    Returns:
        None where the backbone has no packed form (`inference.packed_encoder`): then nothing is gained by a cut.
    """
    encoder = packed_encoder(backbone, rows, runtime)
    if encoder is None:
        return None
    if (kept := kept_lower_layers(backbone, rows, layers, file)) is not None:
        return kept
    bounds = _bounds(rows)
    distinct = list(bounds)
    lengths, starts = [len(row) for row in distinct], [start for start, _ in bounds.values()]
    vectors = np.empty((sum(lengths), encoder.width), np.float16)

    @torch.inference_mode()
    def work(batch: list[int]) -> int:
        chosen = [distinct[row] for row in batch]
        hidden = encoder.run(encoder.embed(chosen), [len(row) for row in chosen], last=layers)
        values, first = hidden.to(torch.float16).numpy(), 0
        for row in batch:
            vectors[starts[row] : starts[row] + lengths[row]] = values[first : first + lengths[row]]
            first += lengths[row]
        return len(batch)

    with tqdm(total=len(distinct), desc=label, unit="text", disable=label is None) as bar:
        for _, done in spread(work_batches(lengths, encoder.precision, runtime), work, runtime):
            bar.update(done)
    if file is not None:
        _keep(file, vectors)
    return TokenStates(vectors, bounds, layers)


def kept_lower_layers(backbone: Backbone, rows: Rows, layers: int, file: Path | None) -> TokenStates | None:
    """What an earlier `read_lower_layers` kept of these rows, mapped and not read; nothing is run.

    Args:
        backbone: The encoder.
        rows: Token ids.
        layers: How many of the lowest layers were run.
        file: Named by `states_key`.

    Returns:
        None where there is no file, or one that does not hold a vector for each token.
    """
    if file is None or not file.is_file():
        return None
    bounds = _bounds(rows)
    expected = (sum(len(row) for row in bounds), backbone.config.hidden_size)
    try:
        vectors: NDArray[np.float16] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:  # numpy's word for an empty file is the last
        _logger.warning("%s: cannot be read (%s); its token vectors are to be made again", file, error)
        return None
    if vectors.shape != expected or vectors.dtype != np.float16:
        _logger.warning(
            "%s: holds %s of %s, expected %s; to be made again", file, vectors.shape, vectors.dtype, expected
        )
        return None
    with suppress(OSError):
        os.utime(file)  # used now: those that were not used for longest go first
    return TokenStates(vectors, bounds, layers)


def _bounds(rows: Rows) -> dict[tuple[int, ...], tuple[int, int]]:
    """Start and end of each distinct row, rows concatenated."""
    distinct = list(dict.fromkeys(map(tuple, rows)))
    starts = np.concatenate([[0], np.cumsum([len(row) for row in distinct])]).astype(int).tolist()
    return dict(zip(distinct, pairwise(starts), strict=True))


def states_key(backbone: Backbone, rows: Rows, layers: int, runtime: Runtime) -> str:
    """SHA-256 over everything that decides the token vectors: lower weights, how they are used, token ids, precision.

    Two tokenizers that give the same ids give the same vectors; others give another key.

    Raises:
        TypeError: If the backbone cannot be cut (`can_be_cut`).
    """
    if not isinstance(backbone, BertBackbone):
        raise TypeError(f"{type(backbone).__name__} cannot be cut between layers; ask can_be_cut first")
    config = backbone.config
    used = (config.model_type, config.num_attention_heads, config.layer_norm_eps, config.hidden_act)
    digest = hashlib.sha256(f"{layers} {runtime.precision} {used} {config.first_position}".encode())
    for module in (backbone.embeddings, *backbone.encoder.layer[:layers]):
        for parameter in module.parameters():
            digest.update(parameter.detach().cpu().contiguous().numpy())
    for row in rows:
        digest.update(np.array([len(row), *row], np.int32).tobytes())
    return digest.hexdigest()


def _keep(file: Path, vectors: NDArray[np.float16]) -> None:
    """Write the file, whole or not at all; a full disk costs only the time next time."""
    try:
        with write_file(file) as staging, staging.open("wb") as target:
            np.save(target, vectors, allow_pickle=False)
    except OSError as error:
        _logger.warning("%s: token vectors could not be kept (%s); a later run makes them again", file, error)


@dataclass(frozen=True)
class SplitEncoder:
    """The layers above the cut, fed with kept token vectors.

    Attributes:
        encoder: The whole encoder; its layers above the cut are read as they are now, learnt or not.
        states: Token vectors at the cut, all after the same number of layers; the first that has a row gives it.
    """

    encoder: BiEncoder
    states: tuple[TokenStates, ...]

    @property
    def layers(self) -> int:
        """Layers below the cut."""
        return self.states[0].layers

    def forward(self, rows: Rows, longest: int = 0) -> Tensor:
        """Vectors of some rows, with gradients for the layers above the cut.

        Args:
            rows: B rows of token ids that ``states`` has; best sorted by length.
            longest: Tokens of a row that are used, from its start; 0 uses all.

        Returns:
            (B, D) float32, unit length if the settings say so.
        """
        parts = [self._cut(self._of(row), longest).float() for row in rows]
        backbone = self.encoder.backbone
        if not isinstance(backbone, BertBackbone):
            raise TypeError(f"{type(backbone).__name__} cannot be cut between layers; ask can_be_cut first")
        hidden = backbone.run(torch.cat(parts), [len(part) for part in parts], self.layers)
        return self.encoder.finish(hidden, [row[: longest or None] for row in rows])

    def encode_rows(self, rows: Rows, runtime: Runtime, label: str | None = None) -> NDArray[np.float32]:
        """(B, D) float32 vectors of rows, in order, without gradients; a progress bar where a label is given."""
        backbone = self.encoder.backbone
        packed = packed_encoder(backbone, rows, runtime)
        if packed is None or not all(self._has(row) for row in rows):
            return self.encoder.encode_rows(rows, runtime, label)
        result = np.empty((len(rows), self.encoder.settings.dimension), np.float32)

        @torch.inference_mode()
        def work(batch: list[int]) -> NDArray[np.float32]:
            parts = [self._of(rows[row]) for row in batch]
            lengths = [len(part) for part in parts]
            hidden = packed.run(torch.cat(parts), lengths, self.layers)
            values: NDArray[np.float32] = self.encoder.finish(hidden, [rows[row] for row in batch]).numpy()
            return values

        lengths = [len(row) for row in rows]
        with tqdm(total=len(rows), desc=label, unit="text", disable=label is None) as bar:
            for batch, values in spread(work_batches(lengths, packed.precision, runtime), work, runtime):
                result[batch] = values
                bar.update(len(batch))
        return result

    def _cut(self, vectors: Tensor, longest: int) -> Tensor:
        """The first of a row's token vectors; its closing special token stays where a pooling reads that alone."""
        if longest and len(vectors) > longest and self.encoder.settings.pooling == "lasttoken":
            return torch.cat([vectors[: longest - 1], vectors[-1:]])
        return vectors[: longest or None]

    def _has(self, row: Iterable[int]) -> bool:
        return any(tuple(row) in states.bounds for states in self.states)

    def _of(self, row: Sequence[int]) -> Tensor:
        found = next((states for states in self.states if tuple(row) in states.bounds), self.states[0])
        return found.of(row)
