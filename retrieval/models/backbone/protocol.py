"""What every encoder below a model can do, whichever code runs it.

Two classes do: `retrieval.models.backbone.bert.BertBackbone` (BERT, RoBERTa and XLM-R, unpadded throughout) and
`retrieval.models.backbone.transformers_backbone.TransformersBackbone` (any other encoder that transformers knows).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from retrieval.models.projections import Projections


class Shape(Protocol):
    """What a backbone's ``config.json`` says, as far as it is asked outside.

    Attributes:
        model_type: transformers' name of the family.
        vocab_size: Rows of the embedding table.
        hidden_size: D, numbers of a token vector.
        num_hidden_layers: Transformer layers.
        type_vocab_size: Token types; 0 where the model has none.
        max_tokens: Longest row that has positions.
        others: What else the file says.
    """

    @property
    def model_type(self) -> str: ...  # noqa: D102
    @property
    def vocab_size(self) -> int: ...  # noqa: D102
    @property
    def hidden_size(self) -> int: ...  # noqa: D102
    @property
    def num_hidden_layers(self) -> int: ...  # noqa: D102
    @property
    def type_vocab_size(self) -> int: ...  # noqa: D102
    @property
    def max_tokens(self) -> int: ...  # noqa: D102
    @property
    def others(self) -> Mapping[str, Any]: ...  # noqa: D102

    def write(self, folder: Path) -> None:
        """Write ``config.json``, as transformers reads it."""


class Backbone(Protocol):
    """Token vectors of unpadded rows; a `torch.nn.Module`, whose methods that are used here stand below.

    Attributes:
        projections: Modules after the pooling (Dense, LayerNorm); empty for most models. They lie here so that a
            backbone cannot be used without them.
    """

    projections: Projections

    @property
    def config(self) -> Shape:
        """Its shape."""

    @property
    def layers(self) -> Sequence[nn.Module]:
        """Transformer layers, lowest first.

        Raises:
            ModelError: If the model does not keep its layers in one list.
        """

    @property
    def below_layers(self) -> Sequence[nn.Module]:
        """What the first layer is fed by: tables of words and positions and what belongs to them."""

    def __call__(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Tensor:
        """Token vectors of some rows.

        Args:
            rows: B rows of token ids, N tokens in all, none of them padding; best sorted by length.
            types: Token types in the same shape; None means all 0.

        Returns:
            (N, D), rows concatenated.
        """

    def keep_layers(self, layers: int) -> None:
        """Drop all but so many of the lowest layers."""

    def weights(self) -> dict[str, Tensor]:
        """Tensors by the names that transformers' bare model has for them, without the projections."""

    def to(self, device: torch.device) -> Any:  # noqa: ANN401, D102
        ...

    def eval(self) -> Any:  # noqa: ANN401, D102
        ...

    def requires_grad_(self, requires_grad: bool = True) -> Any:  # noqa: ANN401, D102
        ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:  # noqa: D102
        ...
