"""The cross-encoder: query and passage read together become one relevance score."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from retrieval.config.schema import CrossEncoderConfig
from retrieval.errors import ConfigError, ModelError
from retrieval.models.backbone.batch_inference import Reader, Rows, run_rows
from retrieval.models.backbone.bert import BertBackbone
from retrieval.models.backbone.pooling import pool_rows
from retrieval.models.backbone.protocol import Backbone
from retrieval.models.bi_encoder import BiEncoder
from retrieval.models.classifier import Classifier
from retrieval.models.heads import HEADS, Head, LinearHead, OwnHead
from retrieval.models.io.model_settings import ModelSettings
from retrieval.models.io.pretrained import Pretrained, load, load_folder, save_folder
from retrieval.models.pair import Pair, joined_text
from retrieval.models.pair_template import PairTemplate
from retrieval.models.projections import Projections
from retrieval.models.split_cross_encoder import InteractionHead, SplitCrossEncoder, SplitPair
from retrieval.models.tokenizer.text_tokenizer import TextTokenizer
from retrieval.names import BI_ENCODER, CROSS_ENCODER
from retrieval.runtime import Runtime

FROM_BI_ENCODER = BI_ENCODER


class CrossEncoder(nn.Module):
    """Backbone, pooling and head, with the tokenizer and settings they belong to.

    Attributes:
        backbone: The encoder below, or a `Classifier`, which is body and head.
        head: `LinearHead`, `DenseHead` or, where lower layers read the texts apart, `InteractionHead`; `OwnHead` of a
            `Classifier`.
        tokenizer: Its tokenizer.
        settings: How pairs are read; ``max_tokens`` is the longest pair.
        late: Reads pairs whose lower layers read the texts apart; None where all layers read them together.
        read_from: As of a bi-encoder.
    """

    read_from: Path | None = None

    def __init__(self, backbone: Backbone, head: Head, tokenizer: TextTokenizer, settings: ModelSettings) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.tokenizer = tokenizer
        self.settings = settings
        self.template = PairTemplate.parse(settings.pair_template) if settings.pair_template else None
        self.late = _split(backbone, head, tokenizer, settings) if isinstance(head, InteractionHead) else None

    def forward(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Logits of rows of token ids, with gradients.

        Args:
            rows: B pairs; the tokenizer tells their token types (second text 1 in BERT, else all 0).

        Returns:
            (B,) float32 logits.

        Raises:
            ModelError: If lower layers read the texts apart; `logits` takes such rows.
        """
        if self.late:
            raise ModelError("this cross-encoder reads query and passage apart first; give its rows to logits")
        types = None if self.template else self.tokenizer.row_types(rows)
        return self.finish(self.backbone(rows, types), [len(row) for row in rows])

    def finish(self, hidden: Tensor, lengths: Sequence[int]) -> Tensor:
        """From token vectors (N, D) of B rows, and the tokens of each, to logits (B,); a `Classifier` gave (B, 1).

        They are float32: a half-precision score would tie the top candidates.
        """
        with torch.autocast(hidden.device.type, enabled=False):
            if isinstance(self.head, OwnHead):
                return self.head.forward(hidden.float())
            logits: Tensor = self.head(pool_rows(hidden, lengths, self.settings.pooling))
        return logits

    def tokenize(self, pairs: Sequence[Pair]) -> list[list[int]] | list[SplitPair]:
        """Rows of (query, document) pairs, special tokens included; a row's length is its tokens."""
        return self.tokenize_counted(pairs)[0]

    def tokenize_counted(self, pairs: Sequence[Pair]) -> tuple[list[list[int]] | list[SplitPair], list[int]]:
        """The same, and how many tokens each pair has before anything is cut off."""
        if self.late:
            apart = self.late.rows(pairs)
            return apart, [row.whole for row in apart]
        settings = self.settings
        queries = [settings.query_prefix + query for query, _ in pairs]
        passages = [settings.passage_prefix + joined_text(document) for _, document in pairs]
        if self.template:
            return self.template.rows(self.tokenizer, queries, passages, settings.max_tokens, settings.max_query_tokens)
        return self.tokenizer.encode_pairs_counted(queries, passages, settings.max_tokens, settings.max_query_tokens)

    def logits(self, rows: Sequence[Any], runtime: Runtime) -> Tensor:
        """(B,) float32 logits of rows that `tokenize` gave, with gradients."""
        if self.late:
            return self.late.logits(rows, runtime)
        with torch.autocast(runtime.device.type, runtime.precision, enabled=runtime.autocast):
            logits: Tensor = self(rows)
        return logits

    def score(self, pairs: Sequence[Pair], runtime: Runtime, label: str | None = None) -> NDArray[np.float32]:
        """(N,) float32 logits of N (query, document) pairs, in order; a progress bar where a label is given."""
        return self.score_rows(self.tokenize(pairs), runtime, label)

    def score_rows(self, rows: Sequence[Any], runtime: Runtime, label: str | None = None) -> NDArray[np.float32]:
        """(N,) float32 logits of N rows that `tokenize` gave, in order; a progress bar where a label is given."""
        self.head.to(runtime.device)
        if self.late:
            return self.late.score(rows, runtime, label)

        def finish(hidden: Tensor, read: Rows) -> Tensor:
            return self.finish(hidden, [len(row) for row in read]).unsqueeze(-1)

        reader = Reader(self.backbone, self.tokenizer, finish, 1, pairs=self.template is None)
        return run_rows(reader, rows, runtime, label)[:, 0]

    def save(self, folder: Path) -> None:
        """Write the model as a plain folder, whole or not at all; `load_cross_encoder` reads it."""
        save_folder(folder, self.backbone, self.head, self.tokenizer, self.settings, self.read_from)


def load_cross_encoder(folder: Path) -> CrossEncoder:
    """Read a folder that `CrossEncoder.save` wrote, or a sequence-classification checkpoint with one label.

    Raises:
        ModelError: If the folder holds no cross-encoder that can be read.
        ArtifactError: If it does not match its manifest.

    Example:
        reranker = load_cross_encoder(Path("models/legal-retriever/1/cross-encoder"))
        pair = ("Nghỉ phép năm bao nhiêu ngày?", "Điều 113. Nghỉ hằng năm ...")
        logits = reranker.score([pair], choose_runtime())  # (1,)
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; give a folder that holds a model")
    found = load_folder(folder)
    if not found.head and not isinstance(found.backbone, Classifier):
        raise ModelError(f"{folder}: has no classification head; give a cross-encoder, or train one from it")
    model = CrossEncoder(found.backbone, _read_head(found, str(folder)), found.tokenizer, found.settings)
    model.read_from = found.read_from
    return model


def cross_encoder_from(config: CrossEncoderConfig, bi_encoder: BiEncoder | None = None) -> CrossEncoder:
    """A cross-encoder ready to train.

    Args:
        config: ``base`` ``bi-encoder`` starts from a copy of ``bi_encoder`` with a fresh linear head; any other base
            keeps its own head where it has one. With ``separate_frozen_layers`` the head is a fresh `InteractionHead`.
        bi_encoder: The encoder to start from; it is not changed.

    Raises:
        ConfigError: If the base is ``bi-encoder`` and none is given, or the name or number of layers is wrong.
        ModelError: If the base cannot be read, or is too short for the configured length.
    """
    found = _copy_of(bi_encoder, config.layers) if config.base == FROM_BI_ENCODER else load(config.base, config.layers)
    found = _token_level(found)
    settings = found.settings
    if config.max_tokens > settings.max_tokens:
        raise ModelError(
            f"{config.base} reads at most {settings.max_tokens} tokens, but {config.max_tokens} are configured;"
            " lower cross_encoder.max_tokens"
        )
    if config.separate_layers:
        return _joined_late(found, config)
    if isinstance(found.backbone, Classifier):
        return _own_head(found, config)
    head = _read_head(found, config.base) if found.head else LinearHead(settings.dimension)
    settings = replace(
        settings,
        kind=CROSS_ENCODER,
        pooling="cls" if found.head and settings.head == "dense" else config.pooling or settings.pooling,
        normalize=False,
        query_prefix="",
        passage_prefix="",
        max_query_tokens=config.max_query_tokens,
        max_passage_tokens=config.max_tokens,
        max_tokens=config.max_tokens,
        head="linear" if isinstance(head, LinearHead) else "dense",
    )
    return CrossEncoder(found.backbone, head, found.tokenizer, settings)


def _own_head(found: Pretrained, config: CrossEncoderConfig) -> CrossEncoder:
    """A reranker of transformers' own classes; the text that it reads a pair as stays."""
    settings = replace(
        found.settings,
        max_query_tokens=config.max_query_tokens,
        max_passage_tokens=config.max_tokens,
        max_tokens=config.max_tokens,
    )
    return CrossEncoder(found.backbone, OwnHead(), found.tokenizer, settings)


def _split(
    backbone: Backbone, head: InteractionHead, tokenizer: TextTokenizer, settings: ModelSettings
) -> SplitCrossEncoder:
    if not isinstance(backbone, BertBackbone):
        raise ModelError(
            f"a {backbone.config.model_type} cannot read query and passage apart, since its layers are run only"
            " together; set cross_encoder.separate_frozen_layers to false, or take a BERT, RoBERTa or XLM-R"
        )
    return SplitCrossEncoder(backbone, head, tokenizer, settings)


def _joined_late(found: Pretrained, config: CrossEncoderConfig) -> CrossEncoder:
    """A cross-encoder whose lowest layers read texts as the encoder it comes from does: prefixes and lengths stay."""
    layers = found.backbone.config.num_hidden_layers
    if not isinstance(found.backbone, BertBackbone):
        raise ConfigError(
            f"cross_encoder.training.separate_frozen_layers: the layers of {config.base}, a"
            f" {found.backbone.config.model_type}, are run only together, so that none can read query and passage"
            " apart; unset it, or start from a BERT, RoBERTa or XLM-R"
        )
    if config.separate_layers >= layers:
        raise ConfigError(
            f"cross_encoder.training.freeze_layers: got {config.separate_layers}, but the base has {layers} layers and"
            " one at least must read query and passage together; lower it or unset separate_frozen_layers"
        )
    settings = replace(
        found.settings,
        kind=CROSS_ENCODER,
        normalize=False,
        max_query_tokens=config.max_query_tokens,
        max_tokens=config.max_tokens,
        head="interaction",
        separate_layers=config.separate_layers,
    )
    return CrossEncoder(found.backbone, InteractionHead(settings.dimension), found.tokenizer, settings)


def _copy_of(bi_encoder: BiEncoder | None, layers: int) -> Pretrained:
    if bi_encoder is None:
        raise ConfigError(
            "cross_encoder.base is bi-encoder, but no bi-encoder is given; train one or name another base"
        )
    most = bi_encoder.backbone.config.num_hidden_layers
    if layers > most:
        raise ConfigError(f"cross_encoder.layers: got {layers}, but the bi-encoder has {most}; lower it")
    backbone = copy.deepcopy(bi_encoder.backbone).requires_grad_(True)
    if layers:
        backbone.keep_layers(layers)
    return Pretrained(backbone.eval(), bi_encoder.tokenizer, bi_encoder.settings, {})


def _token_level(found: Pretrained) -> Pretrained:
    """A model whose heads read token vectors: what a bi-encoder does to pooled ones is left out."""
    found.backbone.projections = Projections()
    return replace(found, settings=replace(found.settings, dimension=found.backbone.config.hidden_size))


def _read_head(found: Pretrained, name: str) -> Head:
    if isinstance(found.backbone, Classifier):
        return OwnHead()
    labels = found.head["out.weight"].shape[0]
    if found.settings.head == "dense" and "dense.weight" not in found.head:
        raise ModelError(
            f"{name}: its head lacks the layer before its last (pooler.dense or classifier.dense), without which it"
            " gives no scores; give the whole checkpoint, saved as a sequence classifier"
        )
    if labels != 1:
        raise ModelError(f"{name}: its head gives {labels} labels; a reranker needs a head with one")
    marks = {"dense.weight": "dense", "shares": "interaction"}
    kind = next((kind for mark, kind in marks.items() if mark in found.head), "linear")
    head = HEADS[kind](found.settings.dimension)
    try:
        head.load_state_dict(found.head)
    except RuntimeError as error:
        raise ModelError(
            f"{name}: its head does not fit its encoder ({error}); give the two as saved together"
        ) from error
    return head
