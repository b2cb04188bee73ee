"""Settings of model folders that other libraries wrote, read off their own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from retrieval.errors import ModelError
from retrieval.models.backbone import BackboneConfig
from retrieval.models.settings import ModelSettings, Pooling

# Prefixes that a model was trained with but that its files do not record (its model card does).
_KNOWN_PREFIXES = {"e5": ("query: ", "passage: ")}
_POOLING_KEYS: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}


def read_foreign_settings(folder: Path, home: Path, config: BackboneConfig, name: str) -> ModelSettings:
    """Settings of a Hugging Face or sentence-transformers folder.

    Args:
        folder: The model's folder.
        home: Where its ``config.json`` lies.
        config: That file.
        name: What the user called the model; kept as ``base``.

    Raises:
        ModelError: If a file does not parse or asks for a pooling this library lacks.
    """
    positions = config.max_tokens
    limit = _read_json(home / "sentence_bert_config.json").get("max_seq_length") or positions
    limit = min(int(limit), positions)
    cross = "SequenceClassification" in str(config.others.get("architectures"))
    query_prefix, passage_prefix = _prefixes(folder, name)
    return ModelSettings(
        kind="cross-encoder" if cross else "bi-encoder",
        base=name,
        pooling="cls" if cross else _pooling(folder),
        normalize=not cross and _normalizes(folder),
        query_prefix="" if cross else query_prefix,
        passage_prefix="" if cross else passage_prefix,
        max_query_tokens=min(64, limit // 2 if cross else limit),
        max_passage_tokens=min(256, limit),
        max_tokens=limit,
        text_kind="segmented" if (home / "bpe.codes").is_file() else "text",
        head="dense" if cross else "",
    )


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path}: not JSON ({error}); download the model again") from error
    return content if isinstance(content, dict) else {"items": content}


def _modules(folder: Path) -> dict[str, str]:
    """Folder of each sentence-transformers module, by the last word of its type."""
    items = _read_json(folder / "modules.json").get("items", [])
    return {str(item["type"]).rpartition(".")[2]: str(item["path"]) for item in items}


def _pooling(folder: Path) -> Pooling:
    path = folder / _modules(folder).get("Pooling", "1_Pooling") / "config.json"
    values = _read_json(path)
    if not values:
        return "mean"
    named = values.get("pooling_mode")
    chosen = [kind for key, kind in _POOLING_KEYS.items() if values.get(key) or named == kind]
    if len(chosen) != 1:
        raise ModelError(f"{path}: asks for {chosen or 'none'} of mean, cls and max pooling; exactly one is needed")
    return chosen[0]


def _normalizes(folder: Path) -> bool:
    """As the modules say; a bare encoder's vectors are compared by cosine, so it gets unit length."""
    modules = _modules(folder)
    return "Normalize" in modules if modules else True


def _prefixes(folder: Path, name: str) -> tuple[str, str]:
    prompts = _read_json(folder / "config_sentence_transformers.json").get("prompts") or {}
    query = prompts.get("query", "")
    passage = prompts.get("document") or prompts.get("passage") or ""
    if query or passage:
        return str(query), str(passage)
    words = name.lower().replace("/", "-").replace("_", "-").split("-")
    return next((pair for word, pair in _KNOWN_PREFIXES.items() if word in words), ("", ""))
