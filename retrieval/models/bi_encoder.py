"""The bi-encoder: a text alone becomes one vector, compared with others by inner product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from retrieval.config.schema import BiEncoderConfig
from retrieval.errors import ConfigError, ModelError
from retrieval.models.backbone.batch_inference import Reader, Rows, run_rows
from retrieval.models.backbone.pooling import pool_rows
from retrieval.models.backbone.protocol import Backbone
from retrieval.models.io.model_settings import ModelSettings
from retrieval.models.io.pretrained import Pretrained, load, load_folder, save_folder
from retrieval.models.tokenizer.text_tokenizer import TextTokenizer
from retrieval.names import BI_ENCODER
from retrieval.runtime import Runtime

_LEAST_RAW_TEMPERATURE = 0.5
"""Inner products of vectors of any length are in the tens; divided by less, the loss sees only the largest."""


class BiEncoder(nn.Module):
    """Backbone, pooling, the backbone's projections and normalisation, with the tokenizer and settings they belong to.

    Attributes:
        backbone: The encoder below.
        tokenizer: Its tokenizer.
        settings: How texts are read and vectors made.
        read_from: The folder it was read from, where that is one of ours; saved again, the model shares its weights
            with that folder if they are still the same.
    """

    read_from: Path | None = None

    def __init__(self, backbone: Backbone, tokenizer: TextTokenizer, settings: ModelSettings) -> None:
        super().__init__()
        self.backbone = backbone
        self.tokenizer = tokenizer
        self.settings = settings

    def forward(self, rows: Rows) -> Tensor:
        """Vectors of rows of token ids, with gradients.

        Args:
            rows: B rows, best sorted by length.

        Returns:
            (B, D) float32, unit length if the settings say so.
        """
        return self.finish(self.backbone(rows), rows)

    def finish(self, hidden: Tensor, rows: Rows) -> Tensor:
        """From token vectors (N, D) of B rows of token ids to final vectors (B, D) float32."""
        skipped = None if self.settings.include_prompt else self._prompt_tokens(rows)
        pooled = pool_rows(hidden, [len(row) for row in rows], self.settings.pooling, skipped)
        if len(self.backbone.projections):
            pooled = self.backbone.projections(pooled)
        return functional.normalize(pooled, dim=-1) if self.settings.normalize else pooled

    def _prompt_tokens(self, rows: Rows) -> list[int]:
        """Tokens of each row that are its prefix's or stand before it, counted as sentence-transformers does."""
        prefixes = [prefix for prefix in (self.settings.query_prefix, self.settings.passage_prefix) if prefix]
        read = self.tokenizer.encode([*prefixes, ""], self.settings.max_tokens)
        *known, alone = [row[:-1] if row[-1] == self.tokenizer.separator_id else row for row in read]
        return [min(_prefix_tokens(row, known, len(alone)), len(row) - 1) for row in rows]

    def tokenize_queries(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of queries, prefix and special tokens included."""
        return self.tokenize_counted(texts, queries=True)[0]

    def tokenize_passages(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of passages, prefix and special tokens included."""
        return self.tokenize_counted(texts, queries=False)[0]

    def tokenize_counted(self, texts: Sequence[str], queries: bool) -> tuple[list[list[int]], list[int]]:
        """Token ids of queries or passages, and how many tokens each has before its end is cut off."""
        settings = self.settings
        prefix = settings.query_prefix if queries else settings.passage_prefix
        longest = settings.max_query_tokens if queries else settings.max_passage_tokens
        return self.tokenizer.encode_counted([prefix + text for text in texts], longest)

    def encode_queries(self, texts: Sequence[str], runtime: Runtime, label: str | None = None) -> NDArray[np.float32]:
        """(N, D) float32 vectors of N queries, in order; a progress bar where a label is given."""
        return self.encode_rows(self.tokenize_queries(texts), runtime, label)

    def encode_passages(self, texts: Sequence[str], runtime: Runtime, label: str | None = None) -> NDArray[np.float32]:
        """(N, D) float32 vectors of N passages, in order; a progress bar where a label is given."""
        return self.encode_rows(self.tokenize_passages(texts), runtime, label)

    def encode_rows(self, rows: Rows, runtime: Runtime, label: str | None = None) -> NDArray[np.float32]:
        """(N, D) float32 vectors of N rows of token ids, in order; a progress bar where a label is given."""
        reader = Reader(self.backbone, self.tokenizer, self.finish, self.settings.dimension)
        return run_rows(reader, rows, runtime, label)

    def save(self, folder: Path) -> None:
        """Write the model as a plain folder, whole or not at all; `load_bi_encoder` reads it."""
        save_folder(folder, self.backbone, None, self.tokenizer, self.settings, self.read_from)


def _prefix_tokens(row: Sequence[int], known: Sequence[Sequence[int]], specials: int) -> int:
    """Tokens of the longest known beginning of a row, its specials included.

    The last token of a prefix may have merged with the first of the text, so it is not looked at where a beginning is
    known without it.
    """
    whole = [len(one) for one in known if list(row[: len(one)]) == list(one)]
    all_but_last = [len(one) for one in known if len(one) > specials + 1 and list(row[: len(one) - 1]) == one[:-1]]
    return max(whole or all_but_last, default=0)


def load_bi_encoder(folder: Path) -> BiEncoder:
    """Read a folder that `BiEncoder.save` wrote, or another library's encoder folder.

    Raises:
        ModelError: If the folder holds no encoder that can be read.
        ArtifactError: If it does not match its manifest.

    Example:
        encoder = load_bi_encoder(Path("models/legal-retriever/1/bi-encoder"))
        vectors = encoder.encode_queries(["Nghỉ phép năm bao nhiêu ngày?"], choose_runtime())  # (1, D)
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; give a folder that holds a model")
    found = load_folder(folder)
    encoder = _from_pretrained(found, str(folder))
    encoder.read_from = found.read_from
    return encoder


def bi_encoder_from(config: BiEncoderConfig) -> BiEncoder:
    """A bi-encoder ready to train, from a base and the configured changes to its settings.

    Raises:
        ConfigError: If the base's name or the number of layers is wrong, or the temperature is one for unit vectors and
            the vectors have other lengths.
        ModelError: If the base cannot be read, or is too short for the configured lengths.
    """
    encoder = _from_pretrained(load(config.base, config.layers), config.base)
    settings = encoder.settings
    normalize = settings.normalize if config.normalize is None else config.normalize
    if not normalize and config.temperature < _LEAST_RAW_TEMPERATURE:
        raise ConfigError(
            f"bi_encoder.temperature: {config.temperature:g} is for cosines, but vectors of {config.base} keep their"
            f" length ({_why_raw(config)}); set bi_encoder.normalize to true, or the temperature to 1 or more"
        )
    longest = max(config.max_query_tokens, config.max_passage_tokens)
    if longest > settings.max_tokens:
        raise ModelError(
            f"{config.base} reads at most {settings.max_tokens} tokens, but {longest} are configured;"
            " lower bi_encoder.max_query_tokens and bi_encoder.max_passage_tokens"
        )
    encoder.settings = replace(
        settings,
        pooling=config.pooling or settings.pooling,
        normalize=normalize,
        query_prefix=settings.query_prefix if config.query_prefix is None else config.query_prefix,
        passage_prefix=settings.passage_prefix if config.passage_prefix is None else config.passage_prefix,
        max_query_tokens=config.max_query_tokens,
        max_passage_tokens=config.max_passage_tokens,
    )
    return encoder


def _why_raw(config: BiEncoderConfig) -> str:
    return "bi_encoder.normalize is false" if config.normalize is False else "its files say similarity dot"


def _from_pretrained(found: Pretrained, name: str) -> BiEncoder:
    if found.settings.kind != BI_ENCODER:
        raise ModelError(f"{name}: holds a {found.settings.kind}, not a bi-encoder; give an encoder")
    return BiEncoder(found.backbone, found.tokenizer, found.settings)
