"""Keeps a corpus's embedding matrices as .npy files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from zenml.enums import ArtifactType
from zenml.metadata.metadata_types import MetadataType

from materializers.folder import FolderMaterializer
from materializers.page import histogram, page
from retrieval.folders import verify_folder, write_folder
from retrieval.search.embedding import CorpusVectors

_PAIRS = 20_000


class VectorsMaterializer(FolderMaterializer):
    """CorpusVectors <-> passages.npy and titles.npy."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (CorpusVectors,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def write(self, data: CorpusVectors, folder: Path) -> None:
        """Write both matrices."""
        with write_folder(folder) as staging:
            np.save(staging / "passages.npy", data.passages)
            np.save(staging / "titles.npy", data.titles)

    def read(self, folder: Path) -> CorpusVectors:
        """Read both matrices."""
        verify_folder(folder)
        names = ("passages.npy", "titles.npy")
        return CorpusVectors(*(np.load(folder / name, allow_pickle=False) for name in names))

    def describe(self, data: CorpusVectors) -> dict[str, MetadataType]:
        """Shape and size."""
        return {
            "passages": len(data.passages),
            "titles": len(data.titles),
            "dimension": int(data.passages.shape[1]),
            "megabytes": round((data.passages.nbytes + data.titles.nbytes) / 1e6, 1),
        }

    def picture(self, data: CorpusVectors) -> str:
        """How alike passages drawn at random are: a matrix gone wrong shows a spike at 1."""
        draw = np.random.default_rng(0).integers(len(data.passages), size=(2, min(_PAIRS, 10 * len(data.passages))))
        cosines = np.einsum("nd,nd->n", data.passages[draw[0]], data.passages[draw[1]])
        return page("Embeddings", self.describe(data), [histogram(cosines.tolist(), "cosine of random passage pairs")])
