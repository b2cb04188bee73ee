"""Datasets as folders of parquet files, whole or absent, and a fingerprint of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.errors import ArtifactError
from retrieval.folders import verify_folder, write_folder
from retrieval.names import ARTICLES
from retrieval.records import Article, Corpus, Dataset, Passage, Query

_TEXT, _TEXTS = pa.large_string(), pa.list_(pa.large_string())
_ARTICLES = pa.schema(
    [
        ("cid", _TEXT),
        ("title", _TEXT),
        ("body", _TEXT),
        ("law", _TEXT),
        ("path", _TEXTS),
        ("clauses", pa.list_(pa.int32())),
    ]
)
_TITLES = pa.schema([("segmented_title", _TEXT)])
_PASSAGES = pa.schema([("cid", _TEXT), ("number", pa.int32()), ("text", _TEXT), ("segmented", _TEXT)])
_QUERIES = pa.schema(
    [
        ("qid", _TEXT),
        ("text", _TEXT),
        ("cids", _TEXTS),
        ("segmented", _TEXT),
        ("source", _TEXT),
        ("split", _TEXT),
    ]
)


def save_dataset(dataset: Dataset, folder: Path) -> None:
    """Write ``articles``, ``titles`` (segmented), ``passages`` and ``queries`` as parquet, all or nothing.

    Raises:
        ArtifactError: If the disk is full or the folder cannot be written; what was there before stays.
    """
    corpus = dataset.corpus
    try:
        with write_folder(folder) as staging:
            _write(staging / ARTICLES, _ARTICLES, _columns(corpus.articles, Article))
            _write(staging / "titles.parquet", _TITLES, {"segmented_title": corpus.segmented_titles})
            _write(staging / "passages.parquet", _PASSAGES, _columns(corpus.passages, Passage))
            _write(staging / "queries.parquet", _QUERIES, _columns(dataset.queries, Query))
    except OSError as error:
        raise ArtifactError(
            f"{folder}: the dataset was not saved ({error.strerror or error}); free some space or choose another"
            " folder, then run again; what was there before is unchanged"
        ) from error


def load_dataset(folder: Path) -> Dataset:
    """Read a dataset back exactly as it was saved.

    Raises:
        ArtifactError: If the folder is missing, incomplete, altered or holds something else.
    """
    verify_folder(folder)
    articles = [
        Article(**{**row, "path": tuple(row["path"]), "clauses": tuple(row["clauses"])})
        for row in _read(folder / ARTICLES, _ARTICLES)
    ]
    titles = tuple(row["segmented_title"] for row in _read(folder / "titles.parquet", _TITLES))
    passages = tuple(Passage(**row) for row in _read(folder / "passages.parquet", _PASSAGES))
    queries = tuple(Query(**{**row, "cids": tuple(row["cids"])}) for row in _read(folder / "queries.parquet", _QUERIES))
    return Dataset(Corpus(tuple(articles), passages, titles), queries)


def count_passages(folder: Path) -> int:
    """Passages of a saved dataset, without reading them; 0 where their file cannot be read."""
    try:
        with pq.ParquetFile(folder / "passages.parquet") as file:
            return int(file.metadata.num_rows)
    except (OSError, pa.ArrowException):
        return 0


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 over every field of every record, in order; equal content gives equal fingerprints on any machine."""
    digest = hashlib.sha256()
    parts: tuple[tuple[str, Sequence[Any], type], ...] = (
        ("articles", dataset.corpus.articles, Article),
        ("passages", dataset.corpus.passages, Passage),
        ("queries", dataset.queries, Query),
    )
    for name, records, kind in parts:
        names = [field.name for field in fields(kind)]
        digest.update(f"{name} {len(records)}\n".encode())
        for record in records:
            values = [getattr(record, field) for field in names]
            digest.update(json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    digest.update(json.dumps(dataset.corpus.segmented_titles, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _columns(records: Sequence[Any], kind: type) -> dict[str, list[Any]]:
    return {field.name: [getattr(record, field.name) for record in records] for field in fields(kind)}


def _write(path: Path, schema: pa.Schema, columns: Mapping[str, Sequence[Any]]) -> None:
    table = pa.table({name: pa.array(columns[name], schema.field(name).type) for name in schema.names}, schema=schema)
    pq.write_table(table, path, compression="zstd")


def _read(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own pool would keep tens of megabytes in a service
    try:
        # not read_table, whose dataset and compute modules hold 40 MB more
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(schema):
                raise pa.ArrowInvalid(f"holds {_described(file.schema_arrow)}, expected {_described(schema)}")
            rows: list[dict[str, Any]] = file.read(use_threads=False).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(
            f"{path}: not a dataset of this version ({error}); write it anew: train with this version, or take the one"
            " that wrote it"
        ) from error
    finally:
        pa.set_memory_pool(before)
    return rows


def _described(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)
