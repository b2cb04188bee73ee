"""A cross-encoder whose lower layers read query and passage apart, and whose upper layers read them together.

What the lower layers give of a passage does not depend on the query, so it can be kept (PreTTR: MacAvaney et al., SIGIR
2020); with the frozen layers of the bi-encoder it is kept already, and a pair costs its upper layers only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from retrieval.models.backbone.batch_inference import packed_encoder, spread, work_batches
from retrieval.models.backbone.batching import runs_of_equal_length
from retrieval.models.backbone.bert import BertBackbone
from retrieval.models.frozen_layers import TokenStates, read_lower_layers
from retrieval.models.io.model_settings import ModelSettings
from retrieval.models.pair import Pair, segments_of
from retrieval.models.state_cache import CachedStates, StateCache
from retrieval.models.tokenizer.text_tokenizer import TextTokenizer
from retrieval.runtime import Runtime

States: TypeAlias = TokenStates | CachedStates
_FEATURES = 2


class InteractionHead(nn.Module):
    """Logit of a pair from its token vectors after joint reading: what agrees, what differs, cosine and MaxSim.

    Cosine of the two means and MaxSim (Khattab and Zaharia, 2020) tell relevant passages from others before anything
    is learnt, once `calibrate` has seen how far they spread.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.out = nn.Linear(2 * dimension, 1)
        generator = torch.Generator().manual_seed(0)  # the same head whatever was drawn before
        nn.init.normal_(self.out.weight, std=0.005, generator=generator)
        nn.init.constant_(self.out.bias, -1.0)  # most candidates are not relevant
        self.shares = nn.Parameter(torch.full((_FEATURES,), 0.7))
        self.register_buffer("center", torch.zeros(_FEATURES))
        self.register_buffer("spread", torch.ones(_FEATURES))

    def forward(self, vectors: Tensor, of_query: Tensor, of_passage: Tensor) -> Tensor:
        """Logits.

        Args:
            vectors: (B, T, D) token vectors.
            of_query: (B, T), True on the query's tokens, which come first.
            of_passage: (B, T), True on the passage's tokens.

        Returns:
            (B,) float32.
        """
        vectors = vectors.float()
        query, passage = _mean(vectors, of_query), _mean(vectors, of_passage)  # (B, D) unit length
        features = self._features(vectors, of_query, of_passage) - self.get_buffer("center")
        features = features / self.get_buffer("spread")
        scale = vectors.shape[-1] ** 0.5  # unit vectors become vectors of unit entries
        compared = torch.cat([query * passage * scale * scale, (query - passage).abs() * scale], dim=-1)  # (B, 2 D)
        logits: Tensor = self.out(compared).squeeze(-1) + features @ self.shares
        return logits

    @torch.no_grad()
    def calibrate(self, parts: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Set centre and spread of cosine and MaxSim to those of some pairs: vectors and masks as `forward` takes."""
        features = torch.cat([self._features(*part) for part in parts])  # (N, 2)
        self.get_buffer("center").copy_(features.mean(0))
        self.get_buffer("spread").copy_(features.std(0).clamp(min=1e-4))

    def _features(self, vectors: Tensor, of_query: Tensor, of_passage: Tensor) -> Tensor:
        """(B, 2): cosine of the means, and the mean over query tokens of the best cosine to a passage token."""
        vectors = vectors.float()
        cosine = (_mean(vectors, of_query) * _mean(vectors, of_passage)).sum(-1)
        unit = functional.normalize(vectors, dim=-1)
        longest = int(of_query.sum(1).max())
        similar = unit[:, :longest] @ unit.transpose(1, 2)  # (B, q, T)
        best = similar.masked_fill(~of_passage.unsqueeze(1), -1.0).amax(-1)  # (B, q)
        counted = of_query[:, :longest]
        return torch.stack([cosine, (best * counted).sum(1) / counted.sum(1)], dim=-1)


def _mean(vectors: Tensor, of_text: Tensor) -> Tensor:
    weights = of_text.unsqueeze(-1).float()  # (B, T, 1)
    return functional.normalize((vectors * weights).sum(1) / weights.sum(1), dim=-1)


@dataclass(frozen=True, slots=True)
class SplitPair:
    """Token ids of a pair, text by text: the query and one or more texts of the passage.

    Attributes:
        query: Query tokens.
        passage: Tokens of each of the passage's texts.
        kept: Tokens of the last text that are used.
        whole: Tokens of the pair before anything was cut off.
    """

    query: tuple[int, ...]
    passage: tuple[tuple[int, ...], ...]
    kept: int
    whole: int

    def __len__(self) -> int:
        """Tokens that the upper layers read."""
        return len(self.query) + sum(len(text) for text in self.passage[:-1]) + self.kept


class SplitCrossEncoder:
    """Reads pairs for a cross-encoder with an `InteractionHead`.

    Attributes:
        backbone: Its encoder.
        head: Its head.
        tokenizer: Its tokenizer.
        settings: ``separate_layers`` lowest layers read each text alone.
        states: Token vectors known already; texts that are not among them are read when they come up.
        memory: Where `score` keeps what comes up; None keeps nothing.
    """

    def __init__(
        self, backbone: BertBackbone, head: InteractionHead, tokenizer: TextTokenizer, settings: ModelSettings
    ) -> None:
        self.backbone, self.head, self.tokenizer, self.settings = backbone, head, tokenizer, settings
        self.states: tuple[TokenStates, ...] = ()
        self.memory: StateCache | None = None

    def rows(self, pairs: Sequence[Pair]) -> list[SplitPair]:
        """Token ids of pairs; a pair longer than ``settings.max_tokens`` loses the end of its last text."""
        settings = self.settings
        queries, query_counts = self.tokenizer.encode_counted(
            [settings.query_prefix + query for query, _ in pairs], settings.max_query_tokens
        )
        texts = [segments_of(document) for _, document in pairs]
        distinct = {text: row for row, text in enumerate(dict.fromkeys(text for one in texts for text in one))}
        encoded, counts = self.tokenizer.encode_counted(
            [settings.passage_prefix + text for text in distinct], settings.max_passage_tokens
        )
        result = []
        for query, query_count, one in zip(queries, query_counts, texts, strict=True):
            passage = tuple(tuple(encoded[distinct[text]]) for text in one)
            room = settings.max_tokens - len(query) - sum(map(len, passage[:-1]))
            whole = query_count + sum(counts[distinct[text]] for text in one)
            result.append(SplitPair(tuple(query), passage, max(1, min(len(passage[-1]), room)), whole))
        return result

    def know(self, rows: Sequence[SplitPair], runtime: Runtime) -> None:
        """Run the lower layers over those texts of some pairs that are not known yet, and keep what they give."""
        missing = self._missing(rows)
        self.states = (*self.states, self._read(missing, runtime)) if missing else self.states

    def _missing(self, rows: Sequence[SplitPair]) -> list[tuple[int, ...]]:
        """Texts of some pairs that are not known."""
        texts = dict.fromkeys(text for row in rows for text in (row.query, *row.passage))
        return [text for text in texts if not any(text in states.bounds for states in self.states)]

    def _read(self, texts: Sequence[tuple[int, ...]], runtime: Runtime) -> TokenStates:
        """Run the lower layers over some texts."""
        found = read_lower_layers(self.backbone, texts, self.settings.separate_layers, runtime)
        return found or self._plain(texts, runtime)

    def _recalled(self, rows: Sequence[SplitPair], runtime: Runtime) -> tuple[States, ...]:
        """What is known, remembered or read of the texts of some pairs; what was read is remembered."""
        missing = self._missing(rows)
        if self.memory is None:
            return (*self.states, self._read(missing, runtime)) if missing else self.states
        recalled = self.memory.recall(missing)
        unread = [text for text in missing if text not in recalled.bounds]
        if not unread:
            return *self.states, recalled
        read = self._read(unread, runtime)
        self.memory.remember(read)  # questions too: a request's pairs can come in several batches
        return *self.states, recalled, read

    def logits(self, rows: Sequence[SplitPair], runtime: Runtime) -> Tensor:
        """(B,) float32 logits of known rows, with gradients for head and upper layers."""
        return self._logits(rows, self.states, runtime)

    def joined(self, rows: Sequence[SplitPair], runtime: Runtime) -> tuple[Tensor, Tensor, Tensor]:
        """Token vectors (B, T, D) of known rows after the upper layers, with the masks that `InteractionHead` takes."""
        return self._joined(rows, self.states, runtime)

    def _logits(self, rows: Sequence[SplitPair], states: Sequence[States], runtime: Runtime) -> Tensor:
        with torch.autocast(runtime.device.type, runtime.precision, enabled=runtime.autocast):
            vectors, of_query, of_passage = self._joined(rows, states, runtime)
        logits: Tensor = self.head.to(runtime.device)(vectors, of_query, of_passage)
        return logits

    def _joined(
        self, rows: Sequence[SplitPair], states: Sequence[States], runtime: Runtime
    ) -> tuple[Tensor, Tensor, Tensor]:
        lengths = [len(row) for row in rows]
        below = torch.cat([_below(row, states) for row in rows]).to(runtime.device)
        above = self.backbone.run(below, lengths, self.settings.separate_layers)  # (N, D)
        hidden = nn.utils.rnn.pad_sequence(list(torch.split(above, lengths)), batch_first=True)  # (B, T, D)
        of_query, of_passage = _masks(rows, hidden.shape[1])
        return hidden, of_query.to(runtime.device), of_passage.to(runtime.device)

    def score(self, rows: Sequence[SplitPair], runtime: Runtime, label: str | None = None) -> NDArray[np.float32]:
        """(N,) float32 logits of N rows, in order; of texts that come up only ``memory`` keeps something.

        Args:
            rows: Of `rows`.
            runtime: Where to compute.
            label: Name of the progress bar; None shows none.
        """
        result = np.empty(len(rows), np.float32)
        if not rows:
            return result
        states = self._recalled(rows, runtime)
        packed = packed_encoder(self.backbone, [row.query for row in rows[:3]], runtime)
        first = self.settings.separate_layers

        @torch.inference_mode()
        def work(batch: list[int]) -> NDArray[np.float32]:
            chosen = [rows[row] for row in batch]
            if packed is None:
                return self._logits(chosen, states, runtime).float().cpu().numpy()
            lengths = [len(row) for row in chosen]
            hidden = packed.run(torch.cat([_below(row, states) for row in chosen]), lengths, first)
            runs = runs_of_equal_length(lengths)
            parts, done = [], 0
            for block, (count, length) in zip(torch.split(hidden, [c * n for c, n in runs]), runs, strict=True):
                parts.append(self.head(block.view(count, length, -1), *_masks(chosen[done : done + count], length)))
                done += count
            values: NDArray[np.float32] = torch.cat(parts).numpy()
            return values

        lengths = [len(row) for row in rows]
        with tqdm(total=len(rows), desc=label, unit="pair", disable=label is None) as bar:
            for batch, values in spread(work_batches(lengths, runtime.precision, runtime), work, runtime):
                result[batch] = values
                bar.update(len(batch))
        return result

    @torch.no_grad()
    def _plain(self, texts: Sequence[tuple[int, ...]], runtime: Runtime) -> TokenStates:
        """Lower layers without the packed form, one text after another."""
        backbone, layers = self.backbone.to(runtime.device), self.settings.separate_layers
        parts = [backbone.run(backbone.embed([text]), [len(text)], last=layers) for text in texts]
        kept = [part.to(torch.float16).cpu().numpy() for part in parts]
        ends = np.cumsum([len(part) for part in kept]).tolist()
        bounds = dict(zip(texts, zip([0, *ends[:-1]], ends, strict=True), strict=True))
        return TokenStates(np.concatenate(kept), bounds, layers)


def _below(row: SplitPair, states: Sequence[States]) -> Tensor:
    """(T, D) float32 token vectors of a pair's texts, concatenated, before the upper layers."""
    texts = [_of(text, states).float() for text in (row.query, *row.passage)]  # autocast joins no float16
    return torch.cat([*texts[:-1], texts[-1][: row.kept]])


def _of(text: tuple[int, ...], states: Sequence[States]) -> Tensor:
    return next(known for known in states if text in known.bounds).of(text)


def _masks(rows: Sequence[SplitPair], longest: int) -> tuple[Tensor, Tensor]:
    """(B, T) where the query's tokens are, and where the passage's are."""
    place = torch.arange(longest)
    of_query = place < torch.tensor([[len(row.query)] for row in rows])
    return of_query, (place < torch.tensor([[len(row)] for row in rows])) & ~of_query
