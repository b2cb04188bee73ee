"""Keeps a Dataset as parquet, at any stage: raw, cut, segmented or split."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from zenml.enums import ArtifactType
from zenml.metadata.metadata_types import MetadataType

from materializers.folder import FolderMaterializer
from materializers.page import page
from retrieval.data.storage import fingerprint, load_dataset, save_dataset
from retrieval.evaluation.plots import length_histogram
from retrieval.records import Dataset


class DatasetMaterializer(FolderMaterializer):
    """Dataset <-> folder of parquet files."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Dataset,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def write(self, data: Dataset, folder: Path) -> None:
        """Write articles, passages and queries."""
        save_dataset(data, folder)

    def read(self, folder: Path) -> Dataset:
        """Read articles, passages and queries."""
        return load_dataset(folder)

    def hash_content(self, data: Dataset, folder: Path) -> str:
        """The dataset's own fingerprint."""
        return fingerprint(data)

    def describe(self, data: Dataset) -> dict[str, MetadataType]:
        """Counts, in all and by split and source."""
        facts: dict[str, MetadataType] = {
            "articles": len(data.corpus.articles),
            "passages": len(data.corpus.passages),
            "queries": len(data.queries),
            "segmented": bool(data.corpus.segmented_titles),
        }
        for (split, source), count in sorted(Counter((query.split, query.source) for query in data.queries).items()):
            facts[f"queries_{split}_{source}" if split else f"queries_{source}"] = count
        return facts

    def picture(self, data: Dataset) -> str:
        """Counts, and how long articles, passages and queries are."""
        lengths = {
            "Điều": [len(article.body.split()) for article in data.corpus.articles],
            "Đoạn": [len(passage.text.split()) for passage in data.corpus.passages],
            "Câu hỏi": [len(query.text.split()) for query in data.queries],
        }
        lengths = {name: values for name, values in lengths.items() if values}
        return page("Dataset", self.describe(data), [length_histogram(lengths)] if lengths else [])
