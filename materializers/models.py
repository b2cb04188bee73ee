"""Keeps models as plain folders: safetensors, tokenizer and settings.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from zenml.enums import ArtifactType
from zenml.metadata.metadata_types import MetadataType

from materializers.folder import FolderMaterializer, manifest_hash
from retrieval.models.bi_encoder import BiEncoder, load_bi_encoder
from retrieval.models.cross_encoder import CrossEncoder, load_cross_encoder
from retrieval.names import BM25, MODEL_SETTINGS
from retrieval.runtime import choose_runtime
from retrieval.search.retriever import Retriever, load_retriever

_NOT_CONTENT = ("training_run_id",)
"""Settings that tell where a model came from and not what it does."""
_LEXICAL = BM25


class _ModelMaterializer(FolderMaterializer):
    """What the two models share."""

    SKIP_REGISTRATION: ClassVar[bool] = True
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.MODEL

    def write(self, data: BiEncoder | CrossEncoder, folder: Path) -> None:
        """Write the model folder."""
        data.save(folder)

    def hash_content(self, data: BiEncoder | CrossEncoder, folder: Path) -> str:
        """Hash of weights, tokenizer and settings, whichever run trained them."""
        return _hash_of([data], manifest_hash(folder, skip=(MODEL_SETTINGS,)))

    def describe(self, data: BiEncoder | CrossEncoder) -> dict[str, MetadataType]:
        """Settings, and how many weights there are."""
        settings: dict[str, MetadataType] = dict(asdict(data.settings))
        return {**settings, "parameters": sum(parameter.numel() for parameter in data.parameters())}


class BiEncoderMaterializer(_ModelMaterializer):
    """BiEncoder <-> model folder."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (BiEncoder,)

    def read(self, folder: Path) -> BiEncoder:
        """Read the model folder."""
        return load_bi_encoder(folder)


class CrossEncoderMaterializer(_ModelMaterializer):
    """CrossEncoder <-> model folder."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (CrossEncoder,)

    def read(self, folder: Path) -> CrossEncoder:
        """Read the model folder."""
        return load_cross_encoder(folder)


class RetrieverMaterializer(FolderMaterializer):
    """Retriever <-> folder with both models, their index, the corpus and the fusion settings."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Retriever,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.MODEL

    def write(self, data: Retriever, folder: Path) -> None:
        """Write the retriever folder."""
        data.save(folder)

    def read(self, folder: Path) -> Retriever:
        """Read the retriever folder; it computes on what this machine offers."""
        return load_retriever(folder, choose_runtime())

    def hash_content(self, data: Retriever, folder: Path) -> str:
        """Hash of all but the lexical index, which follows from corpus and settings but not its order of words."""
        models = [model for model in (data.bi_encoder, data.cross_encoder) if model is not None]
        return _hash_of(models, manifest_hash(folder, skip=(MODEL_SETTINGS, _LEXICAL)))

    def describe(self, data: Retriever) -> dict[str, MetadataType]:
        """Fusion settings and the size of what is searched."""
        settings: dict[str, MetadataType] = dict(asdict(data.settings))
        return {**settings, "articles": len(data.corpus.articles), "passages": len(data.corpus.passages)}


def _hash_of(models: Sequence[BiEncoder | CrossEncoder], files: str) -> str:
    """Hash of the models' settings, where they came from left out, and of files already hashed."""
    settings = [
        {name: value for name, value in asdict(model.settings).items() if name not in _NOT_CONTENT} for model in models
    ]
    return hashlib.sha256(json.dumps([settings, files], sort_keys=True).encode()).hexdigest()
