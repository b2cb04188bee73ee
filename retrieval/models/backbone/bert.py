"""BERT, RoBERTa and XLM-R encoders over unpadded rows, so that no product is spent on padding.

Parameters have the names of ``transformers``' bare models, which read each other's folders. There is no dropout: in one
or two epochs of fine-tuning it costs more time than it gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from retrieval.models.backbone.attention import Layout, attend, layout_of
from retrieval.models.backbone.bert_config import ACTIVATIONS, BackboneConfig
from retrieval.models.projections import Projections


class BertBackbone(nn.Module):
    """The encoder without pooler; its weights are to be loaded.

    Attributes:
        config: Its shape.
        embeddings: Tables of words, positions and token types, and their normalisation.
        encoder: ``layer`` holds the transformer layers, lowest first.
        projections: Modules after the pooling; see `backbone_protocol.Backbone`.
    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.encoder = _Encoder(config)
        self.projections = Projections()

    @property
    def layers(self) -> Sequence[nn.Module]:
        """Transformer layers, lowest first."""
        return list(self.encoder.layer)

    @property
    def below_layers(self) -> Sequence[nn.Module]:
        """The embeddings."""
        return [self.embeddings]

    def weights(self) -> dict[str, Tensor]:
        """Tensors by the names that transformers' bare model has for them, without the projections."""
        return {name: tensor for name, tensor in self.state_dict().items() if not name.startswith("projections.")}

    def forward(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Tensor:
        """Token vectors of some rows.

        Args:
            rows: B rows of token ids, N tokens in all, none of them padding; best sorted by length.
            types: Token types in the same shape; None means all 0.

        Returns:
            (N, D), rows concatenated.
        """
        return self.run(self.embed(rows, types), [len(row) for row in rows])

    def embed(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Tensor:
        """(N, D) token vectors below the first layer."""
        embedded: Tensor = self.embeddings(rows, types)
        return embedded

    def run(self, hidden: Tensor, lengths: Sequence[int], first: int = 0, last: int | None = None) -> Tensor:
        """Some of the layers, one after another.

        Args:
            hidden: (N, D) token vectors below layer ``first``, rows concatenated.
            lengths: Tokens of each row; neighbours of one length run as one attention.
            first: First layer to run.
            last: Layer to stop before; None runs all that follow.

        Returns:
            (N, D) token vectors.
        """
        layout = layout_of(lengths, hidden.device)
        for layer in self.encoder.layer[first:last]:
            hidden = layer(hidden, layout)
        return hidden

    def keep_layers(self, layers: int) -> None:
        """Drop all but so many of the lowest layers."""
        self.encoder.layer = self.encoder.layer[:layers]
        self.config = replace(self.config, num_hidden_layers=layers)


class _Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Draw nothing: weights are always loaded, and torch's compiler is loaded to draw on no device."""


class _Table(nn.Embedding):
    def reset_parameters(self) -> None:
        """As of `_Linear`."""


class _Norm(nn.LayerNorm):
    def reset_parameters(self) -> None:
        """As of `_Linear`."""


class _Embeddings(nn.Module):
    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.first_position = config.first_position
        self.not_counted = None if config.model_type == "bert" else config.pad_token_id
        self.word_embeddings = _Table(config.vocab_size, width)
        self.position_embeddings = _Table(config.max_position_embeddings, width)
        self.token_type_embeddings = _Table(config.type_vocab_size, width)
        self.LayerNorm = _Norm(width, eps=config.layer_norm_eps)

    def forward(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None) -> Tensor:
        device = self.word_embeddings.weight.device
        if not rows or not all(rows):
            raise ValueError(f"rows: got {len(rows)} rows, some empty or none at all; every row needs a token")
        ids = torch.tensor([token for row in rows for token in row], device=device)
        places = torch.cat([self._places(row) for row in rows]).to(device)
        hidden = self.word_embeddings(ids)
        if types is None:
            hidden += self.token_type_embeddings.weight[0]
        else:
            hidden += self.token_type_embeddings(torch.tensor([kind for row in types for kind in row], device=device))
        hidden += self.position_embeddings(places)
        normed: Tensor = self.LayerNorm(hidden)
        return normed

    def _places(self, row: Sequence[int]) -> Tensor:
        """Numbers of a row's tokens in the position table.

        RoBERTa does not count padding tokens, which all have the number of their id: a text may hold ``<pad>``.
        """
        if self.not_counted is None or self.not_counted not in row:
            return torch.arange(self.first_position, self.first_position + len(row))
        counted = torch.tensor([token != self.not_counted for token in row])
        return counted.cumsum(0) * counted + self.not_counted


class _Encoder(nn.Module):
    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))


class _Layer(nn.Module):
    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.attention = _Attention(config)
        self.intermediate = nn.ModuleDict({"dense": _Linear(width, inner)})
        self.output = _Output(inner, config)
        self.activation = ACTIVATIONS[config.hidden_act]

    def forward(self, hidden: Tensor, layout: Layout) -> Tensor:
        hidden = self.attention(hidden, layout)
        result: Tensor = self.output(self.activation(self.intermediate["dense"](hidden)), hidden)
        return result


class _Attention(nn.Module):
    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.self = nn.ModuleDict({name: _Linear(width, width) for name in ("query", "key", "value")})
        self.output = _Output(width, config)

    def forward(self, hidden: Tensor, layout: Layout) -> Tensor:
        shape = (len(hidden), self.heads, -1)
        query, key, value = (self.self[name](hidden).view(shape) for name in ("query", "key", "value"))  # (N, H, D / H)
        result: Tensor = self.output(attend(query, key, value, layout).flatten(1), hidden)
        return result


class _Output(nn.Module):
    def __init__(self, inner: int, config: BackboneConfig) -> None:
        super().__init__()
        self.dense = _Linear(inner, config.hidden_size)
        self.LayerNorm = _Norm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, tokens: Tensor, residual: Tensor) -> Tensor:
        result: Tensor = self.LayerNorm(self.dense(tokens) + residual)
        return result
