"""Keeps a corpus's embedding matrices as .npy files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from zenml.enums import ArtifactType
from zenml.metadata.metadata_types import MetadataType

from materializers.folder import FolderMaterializer
from materializers.page import page
from retrieval.evaluation.plots import value_histogram
from retrieval.folders import verify_folder, write_folder
from retrieval.names import PASSAGE_VECTORS, TITLE_VECTORS
from retrieval.s3.objects import Buffer
from retrieval.search.embedding import CorpusVectors

_PAIRS = 20_000


class VectorsMaterializer(FolderMaterializer):
    """CorpusVectors <-> passages.npy and titles.npy."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (CorpusVectors,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def write(self, data: CorpusVectors, folder: Path) -> None:
        """Write both matrices."""
        with write_folder(folder) as staging:
            for name, buffers in self.in_memory(data).items():
                with (staging / name).open("wb") as stream:
                    stream.writelines(buffers)

    def in_memory(self, data: CorpusVectors) -> dict[str, Sequence[Buffer]]:
        """Both matrices as .npy files."""
        return {PASSAGE_VECTORS: _npy(data.passages), TITLE_VECTORS: _npy(data.titles)}

    def read(self, folder: Path) -> CorpusVectors:
        """Both matrices, mapped from their files: the pages that are used are read, and no copy is made of them."""
        verify_folder(folder)
        names = (PASSAGE_VECTORS, TITLE_VECTORS)
        # "c": writable, as torch wants it, and never written back; as plain arrays, which keep the mapping open
        mapped = (np.load(folder / name, mmap_mode="c", allow_pickle=False) for name in names)
        return CorpusVectors(*(np.asarray(matrix) for matrix in mapped))

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
        return page(
            "Embeddings", self.describe(data), [value_histogram(cosines.tolist(), "cosine of random passage pairs")]
        )


def _npy(matrix: NDArray[np.float32]) -> tuple[Buffer, Buffer]:
    """Header and values of a matrix as ``numpy.save`` writes them."""
    matrix, header = np.ascontiguousarray(matrix), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(matrix))
    return header.getvalue(), matrix.reshape(-1).view(np.uint8).data
