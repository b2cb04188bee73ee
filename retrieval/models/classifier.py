"""Sequence classifiers of any architecture that transformers knows, run whole: body and head are its own code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from retrieval.errors import ConfigError, ModelError
from retrieval.models.backbone.bert_config import CONFIG_FILE
from retrieval.models.backbone.transformers_backbone import TransformersBackbone, TransformersConfig
from retrieval.models.hf_files import read_object

_SHORT, _LONG = 5, 9
_AGREEMENT = 1e-4
"""Largest difference of logits between rows read alone and beside padding, as a share of the larger (at least 1)."""
_MODEL_ERRORS = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError)


class _Float32Linear(nn.Linear):
    """A linear in float32 even under autocast: a half-precision score would tie the top candidates."""

    def forward(self, vectors: Tensor) -> Tensor:
        with torch.autocast(vectors.device.type, enabled=False):
            bias = self.bias.float() if self.bias is not None else None
            return functional.linear(vectors.float(), self.weight.float(), bias)


class Classifier(TransformersBackbone):
    """A sequence classifier with one label: a backbone whose head is inside, so that it gives logits.

    It learns without dropout, as the other models here do.

    Attributes:
        pads: Whether rows of different lengths may be read together; some heads look at a row's end, padding or not.
    """

    def __init__(self, model: Any, config: TransformersConfig, pad_id: int) -> None:  # noqa: ANN401 - of transformers
        """Wrap ``model``; its head computes in float32 from here on.

        Args:
            model: The model of transformers.
            config: Read from the same folder.
            pad_id: Of the tokenizer; fills short rows where the model names none.
        """
        super().__init__(model, config)
        own = model.config.pad_token_id
        if not isinstance(own, int) or not 0 <= own < config.vocab_size:
            model.config.pad_token_id = pad_id  # by it some heads look for a row's last token
        self._filler: Final = int(model.config.pad_token_id)
        body = {id(module) for module in model.base_model.modules()}
        for module in model.modules():
            if type(module) is nn.Linear and id(module) not in body:
                module.__class__ = _Float32Linear
        self.train(mode=False)
        self.pads = self._padding_changes_nothing()

    def forward(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Tensor:
        """Logits of some pairs.

        Args:
            rows: B rows of token ids, none of them padding.
            types: Token types in the same shape; None means all 0.

        Returns:
            (B, 1).
        """
        if self.pads or len({len(row) for row in rows}) <= 1:
            return self._logits(rows, types)
        logits: list[Tensor | None] = [None] * len(rows)
        for length in {len(row) for row in rows}:
            places = [place for place, row in enumerate(rows) if len(row) == length]
            of_them = [types[place] for place in places] if types else None
            found = self._logits([rows[place] for place in places], of_them)
            for place, one in zip(places, found, strict=True):
                logits[place] = one
        return torch.stack([one for one in logits if one is not None])

    def _logits(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None) -> Tensor:
        device = next(self.model.parameters()).device
        longest = max(len(row) for row in rows)

        def padded(values: Sequence[Sequence[int]], filler: int) -> Tensor:
            return torch.tensor([[*value, *[filler] * (longest - len(value))] for value in values], device=device)

        inputs = {
            "input_ids": padded(rows, self._filler),
            "attention_mask": padded([[1] * len(row) for row in rows], 0),
        }
        if self._takes_types and types is not None:
            inputs["token_type_ids"] = padded(types, 0)
        logits: Tensor = self.model(**inputs).logits
        return logits

    @torch.no_grad()  # not in inference mode: models keep what they compute of positions, and learn later
    def _padding_changes_nothing(self) -> bool:
        size = self.config.vocab_size
        usable = [token for token in range(min(size, _LONG + _SHORT + 1)) if token != self._filler]
        rows = [usable[:_SHORT], usable[-_LONG:]]
        alone = torch.cat([self._logits([row], None) for row in rows])
        difference = (self._logits(rows, None) - alone).abs() / alone.abs().clamp(min=1)
        return bool((difference <= _AGREEMENT).all())

    def save(self, folder: Path) -> None:
        """Write ``config.json`` and the weights, as float32, in the form that transformers reads."""
        model: Any = self.model
        model.save_pretrained(folder, max_shard_size="1TB")
        for path in folder.glob("*.safetensors"):
            path.chmod(0o644)  # safetensors writes 0600; another user may serve it


def load_classifier(folder: Path, pad_id: int, layers: int = 0) -> Classifier:
    """Read a sequence classifier of transformers.

    Args:
        folder: With its ``config.json`` and weights.
        pad_id: Of its tokenizer.
        layers: Keep only this many lowest layers; 0 keeps all.

    Raises:
        ConfigError: If the model has fewer layers.
        ModelError: If the folder cannot be read, its head gives several labels, or tensors of it are missing.
    """
    from transformers import AutoModelForSequenceClassification

    shape, config = _read_config(folder, layers)
    if config.num_labels != 1:
        raise ModelError(f"{folder}: its head gives {config.num_labels} labels; a reranker needs a head with one")
    model = _read_model(AutoModelForSequenceClassification, folder, config)
    return _shortened(Classifier(model, shape, pad_id), layers)


def load_judge(folder: Path, pad_id: int, yes: int, no: int | None, layers: int = 0) -> Classifier:
    """Read a causal language model as the classifier whose logit is that of one next token less that of another.

    Both are linear in the last token's vector, so that one row, the difference of theirs, is the whole head.

    Args:
        folder: With its ``config.json`` and weights.
        pad_id: Of its tokenizer.
        yes: Token whose logit counts.
        no: Token whose logit is taken off; None takes nothing off.
        layers: Keep only this many lowest layers; 0 keeps all.

    Raises:
        ConfigError: If the model has fewer layers.
        ModelError: If the folder cannot be read, or the model does more with its last vector than a linear.
    """
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    shape, config = _read_config(folder, layers)
    causal = _read_model(AutoModelForCausalLM, folder, config).eval()
    tokens = [yes] if no is None else [yes, no]
    table = causal.get_output_embeddings()
    if not isinstance(table, nn.Linear) or max(tokens) >= table.out_features:
        raise ModelError(f"{folder}: {type(causal).__name__} has no table of tokens {tokens}; give a model that has")
    rows = table.weight.detach()[tokens]
    probe = torch.tensor([[token for token in range(_LONG + 1) if token != pad_id][:_LONG]])
    with torch.no_grad():
        logits = causal(input_ids=probe).logits[0, -1, tokens].float()
    config.num_labels = 1
    try:
        with torch.device("meta"):
            model = AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)
    except _MODEL_ERRORS as error:
        raise _unreadable(folder, error) from error
    setattr(model, model.base_model_prefix, causal.base_model)
    heads = [name for name, one in model.named_children() if name != model.base_model_prefix]
    head = nn.Linear(rows.shape[1], 1, bias=False)
    head.weight = nn.Parameter(rows[:1] - rows[1:] if len(rows) > 1 else rows.clone())
    setattr(model, heads[0], head)
    classifier = Classifier(model, shape, pad_id)
    expected = logits[0] - (logits[1] if len(logits) > 1 else 0)
    with torch.no_grad():
        difference = (classifier(probe.tolist())[0, 0] - expected).abs() / expected.abs().clamp(min=1)
    capped = getattr(config.get_text_config(), "final_logit_softcapping", None)
    if len(heads) != 1 or capped or not float(difference) <= _AGREEMENT:
        raise ModelError(f"{folder}: {type(causal).__name__} changes its logits after its last linear; give another")
    return _shortened(classifier, layers)


def _read_config(folder: Path, layers: int) -> tuple[TransformersConfig, Any]:
    """What is asked of a configuration here, and transformers' own."""
    from transformers import AutoConfig

    from retrieval.models.backbone.transformers_loading import read_transformers_config

    shape = read_transformers_config(folder, read_object(folder / CONFIG_FILE))
    if layers > shape.num_hidden_layers:
        raise ConfigError(f"layers: got {layers}, but {folder} has {shape.num_hidden_layers}; lower it, or 0 for all")
    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except _MODEL_ERRORS as error:
        raise _unreadable(folder, error) from error
    config.use_cache = False
    return shape, config


def _shortened(classifier: Classifier, layers: int) -> Classifier:
    if layers:
        classifier.keep_layers(layers)
    return classifier


def _read_model(kind: Any, folder: Path, config: Any) -> Any:  # noqa: ANN401
    """A whole model of one of transformers' auto classes, in float32."""
    from retrieval.models.backbone.transformers_loading import quiet

    try:
        with quiet():
            model, found = kind.from_pretrained(
                str(folder), config=config, dtype=torch.float32, local_files_only=True, trust_remote_code=False,
                output_loading_info=True,
            )  # fmt: skip
    except _MODEL_ERRORS as error:
        raise _unreadable(folder, error) from error
    if missing := sorted(found["missing_keys"]):
        raise ModelError(
            f"{folder}: {len(missing)} tensors missing, such as {missing[0]!r}; give the whole checkpoint, as"
            f" {type(model).__name__}.save_pretrained writes it"
        )
    return model


def _unreadable(folder: Path, error: Exception) -> ModelError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ModelError(
        f"{folder / CONFIG_FILE}: transformers cannot run it as a sequence classifier ({reason}); give a model of an"
        " architecture that it knows without code of the model's own"
    )
