"""How a retriever's parts are joined, kept beside them as ``retriever.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from retrieval.config.schema import SearchConfig
from retrieval.errors import ArtifactError
from retrieval.names import FORMER_RETRIEVER_SETTINGS, RETRIEVER_PARTS, RETRIEVER_SETTINGS
from retrieval.paths import KEPT
from retrieval.records import Corpus
from retrieval.search.bm25 import Bm25Index, Units

_FORMER_NAMES = {"opening_weight": "lead_passage_weight", "named_weight": "citation_weight"}
"""Of settings in folders that were written under their former names."""
NOT_A_RETRIEVER = f"name one that a training kept, such as {KEPT}/1, or train with this version"
"""What to do about a folder that is none."""


@dataclass(frozen=True, slots=True)
class RetrieverSettings:
    """How the parts are joined; the weights are chosen on validation.

    Attributes:
        titles: Whether titles are a field of their own (off where titles are the queries).
        title_weight: Share of the title field in the dense score.
        lead_passage_weight: Share of an article's first passage in the dense score.
        bm25_weight: Share of BM25 in the hybrid score.
        rerank_depth: Candidates the reranker reads.
        rerank_weight: Share of the reranker in the final score.
        candidates: Articles that each first-stage searcher gives.
        bm25_k1: BM25's saturation.
        bm25_b: BM25's length normalisation.
        bm25_units: BM25's tokens.
        bm25_title_count: Times BM25 counts a title where titles are a field.
        bm25_headings: Whether BM25 reads the law's name and the headings above an article.
        citation_weight: What a found article gains where the question names its law; 0 does not look for names.
    """

    titles: bool = True
    title_weight: float = 0.0
    lead_passage_weight: float = 0.0
    bm25_weight: float = 0.3
    rerank_depth: int = 10
    rerank_weight: float = 0.3
    candidates: int = 100
    bm25_k1: float = 1.2
    bm25_b: float = 0.75
    bm25_units: Units = "bigrams"
    bm25_title_count: int = 3
    bm25_headings: bool = False
    citation_weight: float = 0.0

    @classmethod
    def of(cls, config: SearchConfig, titles: bool) -> RetrieverSettings:
        """Settings before tuning."""
        return cls(
            titles=titles,
            candidates=config.candidates,
            bm25_k1=config.bm25_k1,
            bm25_b=config.bm25_b,
            bm25_units=config.bm25_units,
            bm25_title_count=config.bm25_title_count,
            bm25_headings=config.bm25_headings,
            citation_weight=config.citation_weight,
        )

    def bm25(self, corpus: Corpus) -> Bm25Index:
        """The lexical index of a corpus that these settings ask for."""
        return Bm25Index.build(corpus, *self._bm25)

    def same_bm25(self, other: RetrieverSettings) -> bool:
        """Whether both ask for the same lexical index."""
        return self._bm25 == other._bm25

    @property
    def _bm25(self) -> tuple[float, float, Units, int, bool]:
        titles = self.bm25_title_count if self.titles else 0
        return self.bm25_k1, self.bm25_b, self.bm25_units, titles, self.bm25_headings


def is_retriever(folder: Path) -> bool:
    """Whether a folder is a retriever that was saved, kept or bundled."""
    parts = all((folder / name).exists() for name in RETRIEVER_PARTS)
    return parts and any((folder / name).is_file() for name in (RETRIEVER_SETTINGS, FORMER_RETRIEVER_SETTINGS))


def write_settings(settings: RetrieverSettings, folder: Path) -> None:
    """Write ``retriever.json`` into a folder."""
    (folder / RETRIEVER_SETTINGS).write_text(json.dumps(asdict(settings), indent=2) + "\n", encoding="utf-8")


def read_settings(folder: Path) -> RetrieverSettings:
    """Read what `write_settings` wrote.

    Raises:
        ArtifactError: If it is not there or holds something else.
    """
    former = folder / FORMER_RETRIEVER_SETTINGS
    path = folder / RETRIEVER_SETTINGS
    try:
        found = path if path.is_file() or not former.is_file() else former
        values = json.loads(found.read_text(encoding="utf-8"))
        return RetrieverSettings(**{_FORMER_NAMES.get(name, name): value for name, value in values.items()})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{folder}: not a retriever ({error}); {NOT_A_RETRIEVER}") from error
