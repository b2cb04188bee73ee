"""Vectors of a folder as this library makes them and as sentence-transformers does, and that they are the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from retrieval.errors import RetrievalError
from retrieval.models.bi_encoder import BiEncoder
from retrieval.models.io.pretrained import load
from retrieval.runtime import Runtime
from tests.helpers.foreign_folders import (
    TEXTS,
)

RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)


def ours(folder: Path, texts=TEXTS, queries: bool = True) -> np.ndarray:
    found = load(str(folder))
    encoder = BiEncoder(found.backbone, found.tokenizer, found.settings)
    return (encoder.encode_queries if queries else encoder.encode_passages)(list(texts), RUNTIME)


def theirs(folder: Path, texts=TEXTS, **encode: object) -> np.ndarray:
    model = SentenceTransformer(str(folder), device="cpu")
    unit = model.similarity_fn_name == "cosine"
    return model.encode(list(texts), normalize_embeddings=unit, **encode)


def assert_same(folder: Path, texts=TEXTS, tolerance: float = 2e-5, **encode: object) -> None:
    expected = theirs(folder, texts, **encode)
    for queries in (True, False):
        np.testing.assert_allclose(ours(folder, texts, queries), expected, atol=tolerance)


def assert_same_or_refused(folder: Path, named: str, texts=TEXTS) -> None:
    """For what versions of transformers read in different ways."""
    try:
        got = ours(folder, texts)
    except RetrievalError as error:
        assert named in str(error)
        return
    np.testing.assert_allclose(got, theirs(folder, texts), atol=2e-5)
