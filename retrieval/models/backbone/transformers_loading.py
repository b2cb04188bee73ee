"""Reads a folder's model with transformers' own class: configuration, weights, and what cannot be read by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from retrieval.errors import ModelError
from retrieval.models.backbone.bert_config import CONFIG_FILE
from retrieval.models.backbone.transformers_backbone import TransformersBackbone, TransformersConfig

_UNLIMITED = 1_000_000
_ENCODER_OF = {"t5": "T5EncoderModel", "mt5": "MT5EncoderModel", "umt5": "UMT5EncoderModel"}
"""Families of encoder and decoder of which the encoder alone is read, as sentence-transformers does."""
_POSITIONS_AFTER_PADDING = frozenset(
    {"mpnet", "camembert", "longformer", "roberta-prelayernorm", "data2vec-text", "ibert", "luke", "xlm-roberta-xl",
     "xmod", "esm"}
)  # fmt: skip
"""Families whose first position is the one after the padding id, as in RoBERTa."""
_NOT_NEEDED = ("pooler.",)
"""Weights that a bare model may lack: no token vector goes through them."""
_NOT_TEXT = ("vision_config", "audio_config")


def read_transformers_config(folder: Path, values: Mapping[str, Any]) -> TransformersConfig:
    """What is asked of a configuration that the fast backbone does not run.

    Args:
        folder: Of the model.
        values: Its ``config.json``.

    Raises:
        ModelError: If transformers has no class for it, or it is no model of text alone.
    """
    path, kind = folder / CONFIG_FILE, str(values.get("model_type"))
    config = _config_of(folder, values)
    if strange := next((name for name in _NOT_TEXT if values.get(name)), None):
        raise ModelError(f"{path}: {kind} reads more than text ({strange}); give the model of its text part alone")
    if getattr(config, "is_encoder_decoder", False) and kind not in _ENCODER_OF:
        raise ModelError(f"{path}: {kind} is an encoder with a decoder behind it; give an encoder or a decoder alone")
    try:
        longest = getattr(config, "max_position_embeddings", None) or _UNLIMITED
        after = (config.pad_token_id or 0) + 1 if kind in _POSITIONS_AFTER_PADDING else 0
        return TransformersConfig(
            model_type=kind,
            vocab_size=int(config.vocab_size),
            hidden_size=int(config.hidden_size),
            num_hidden_layers=int(config.num_hidden_layers),
            type_vocab_size=int(getattr(config, "type_vocab_size", None) or 0),
            max_tokens=int(longest) - after,
            others=dict(values),
            layers_name=str(config.attribute_map.get("num_hidden_layers", "num_hidden_layers")),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: {kind} says no size of its own ({error}); give a model of text") from error


def _config_of(folder: Path, values: Mapping[str, Any]) -> Any:  # noqa: ANN401
    import transformers

    kind = values.get("model_type")
    if kind not in transformers.CONFIG_MAPPING:
        raise ModelError(f"{folder}: {_unknown(kind, values)}")
    try:
        config = transformers.CONFIG_MAPPING[kind].from_dict(dict(values))
    except Exception as error:  # each family checks in its own way
        raise ModelError(
            f"{folder / CONFIG_FILE}: cannot be read ({error}); give the one saved with the weights"
        ) from error
    if kind not in _ENCODER_OF and type(config) not in transformers.MODEL_MAPPING:
        raise ModelError(f"{folder}: transformers has no bare model of type {kind!r}; give an encoder or a decoder")
    return config


def _unknown(kind: object, values: Mapping[str, Any]) -> str:
    """That a model type has no class, and what to do."""
    import transformers

    if values.get("auto_map"):
        return (
            f"model type {kind!r} needs code from its own folder (auto_map in {CONFIG_FILE}), which is never run here;"
            " give a model whose type transformers has itself, such as BGE-M3, an E5, EmbeddingGemma, Qwen3-Embedding"
            " or ModernBERT"
        )
    return (
        f"model type {kind!r} is not one that transformers {transformers.__version__} knows; give a model of a type it"
        " has, such as BGE-M3, an E5, EmbeddingGemma, Qwen3-Embedding or ModernBERT"
    )


def build_transformers_backbone(
    config: TransformersConfig, state: dict[str, Tensor], folder: Path
) -> TransformersBackbone:
    """The bare model with its weights as float32, in evaluation mode.

    Args:
        config: Of the folder.
        state: Its tensors by the names of the file; those of heads are left out.
        folder: For messages.

    Raises:
        ModelError: If the weights do not fit.
    """
    inner = _config_of(folder, config.others)
    inner.use_cache = False
    float_state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    try:
        with quiet():
            model, info = _class_of(inner, config.model_type).from_pretrained(
                None, config=inner, state_dict=float_state, dtype=torch.float32, output_loading_info=True
            )
    except Exception as error:  # whatever the family's own code raises
        raise ModelError(
            f"{folder}: weights do not fit config.json ({error}); give the config.json that was saved with them"
        ) from error
    _refuse_misfits(model, info, config, folder)
    backbone = TransformersBackbone(model, config)
    return backbone.requires_grad_(True).eval()


def _class_of(config: Any, kind: str) -> Any:  # noqa: ANN401
    import transformers

    if kind in _ENCODER_OF:
        return getattr(transformers, _ENCODER_OF[kind])
    found = transformers.MODEL_MAPPING[type(config)]
    return found[0] if isinstance(found, (tuple, list)) else found


def _refuse_misfits(model: torch.nn.Module, info: Mapping[str, Any], config: TransformersConfig, folder: Path) -> None:
    """Raise where a weight of the bare model is missing, has another shape, or stands in the file without a use."""
    missing = sorted(name for name in info["missing_keys"] if not name.startswith(_NOT_NEEDED))
    shapes = sorted(str(one[0] if isinstance(one, tuple) else one) for one in info["mismatched_keys"])
    prefix = f"{getattr(model, 'base_model_prefix', '')}."
    own = {name for name, _ in model.named_children()}
    unused = sorted(
        name for name in info["unexpected_keys"]
        if name.removeprefix(prefix).partition(".")[0] in own and not name.removeprefix(prefix).startswith(_NOT_NEEDED)
    )  # fmt: skip
    wrong = missing or shapes or unused
    if wrong and config.others.get("auto_map"):
        raise ModelError(
            f"{folder}: a model of code of its own (auto_map in config.json), which is never run here and whose weights"
            f" do not fit transformers' own {config.model_type}, such as {wrong[0]!r}; give a model that does without"
        )
    if wrong:
        raise ModelError(
            f"{folder}: {len(missing)} tensors missing, {len(shapes)} of another shape and {len(unused)} unknown, such"
            f" as {wrong[0]!r}; the weights do not fit config.json, so give the config.json that was saved with them"
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bar and its report of heads that are not used."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
