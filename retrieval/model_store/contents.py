"""What a retriever's folder holds, in words, without loading it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from retrieval.folders import MANIFEST
from retrieval.models.io.model_settings import settings_file
from retrieval.names import ARTICLES, BI_ENCODER, CORPUS

_LAWS_NAMED = 6


def law_of(folder: Path) -> str:
    """Which law a retriever finds: how many articles, and the names of the first laws."""
    try:
        laws = pq.read_table(folder / CORPUS / ARTICLES, columns=["law"]).column("law")
        names = [str(name) for name in laws.unique().to_pylist() if name]
    except (OSError, ValueError, KeyError):
        return "articles cannot be read"
    more = f" and {len(names) - _LAWS_NAMED} more" if len(names) > _LAWS_NAMED else ""
    articles = f"{len(laws):,} article{'' if len(laws) == 1 else 's'}"
    return articles + (f" of {', '.join(names[:_LAWS_NAMED])}{more}" if names else "")


def data_version_of(folder: Path) -> str:
    """Fingerprint of the dataset that a retriever's encoder was trained on; empty where it does not say."""
    try:
        path = settings_file(folder / BI_ENCODER)
        values = json.loads(path.read_text(encoding="utf-8")) if path else {}
        return str(values.get("data_version") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def megabytes_of(folder: Path) -> str:
    """Room that a retriever's files take, those included that it shares with a run's artifacts."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST]
    return f"{sum(sizes) / 1e6:,.0f} MB"
