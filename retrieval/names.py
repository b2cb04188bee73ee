"""Names that several parts share: of models, and of the files that a model, a retriever or a bundle is made of."""

from __future__ import annotations

from typing import Final

LEGAL_BI_ENCODER: Final = "legal-bi-encoder"
LEGAL_CROSS_ENCODER: Final = "legal-cross-encoder"
LEGAL_RETRIEVER: Final = "legal-retriever"
"""Models, as registries and clients know them."""

BI_ENCODER: Final = "bi-encoder"
CROSS_ENCODER: Final = "cross-encoder"
"""Kinds of a model; in a retriever, in reports and in a bucket its folder is called so."""

MULTILINGUAL_E5_SMALL: Final = "multilingual-e5-small"
"""The encoder that a package carries."""
BUNDLED: Final = "bundled:"
"""Begins the name of a model that a package carries, where a folder or a hub id could stand as well."""

CORPUS: Final = "corpus"
BM25: Final = "bm25"
PASSAGE_VECTORS: Final = "passages.npy"
TITLE_VECTORS: Final = "titles.npy"
RETRIEVER_PARTS: Final = (BI_ENCODER, CORPUS)
"""Folders that every retriever has."""
RETRIEVER_SETTINGS: Final = "retriever.json"
"""In a retriever folder, beside its models."""
FORMER_RETRIEVER_SETTINGS: Final = "settings.json"
"""Its name in folders that were written before the two names were swapped; they are still read."""
ARTICLES: Final = "articles.parquet"
"""In a dataset's folder."""

MODEL_SETTINGS: Final = "settings.json"
WEIGHTS: Final = "model.safetensors"
WEIGHTS_INDEX: Final = "model.safetensors.index.json"
TOKENIZER: Final = "tokenizer.json"
"""In a model folder; all but the first are the names that other libraries read."""
FORMER_MODEL_SETTINGS: Final = "retriever.json"
"""As `FORMER_RETRIEVER_SETTINGS`, of a model folder."""

BUNDLE_FACTS: Final = "bundle.json"
"""Makes a bundle of a retriever folder."""
