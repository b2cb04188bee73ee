"""The retriever: two models, their index and the settings that join them, kept and loaded as one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.data.cleaning import CleanLine, clean_line
from retrieval.data.segmentation import segment_texts
from retrieval.data.storage import load_dataset, save_dataset
from retrieval.errors import ArtifactError, SearchError
from retrieval.folders import verify_folder, write_folder
from retrieval.models.bi_encoder import BiEncoder, load_bi_encoder
from retrieval.models.cross_encoder import CrossEncoder, load_cross_encoder
from retrieval.names import BI_ENCODER, BM25, CORPUS, CROSS_ENCODER, PASSAGE_VECTORS, TITLE_VECTORS
from retrieval.records import Corpus, Dataset, Query, TrecRun
from retrieval.runtime import Runtime
from retrieval.search.bm25 import Bm25Index
from retrieval.search.citations import CitedLaws, Named, boost_cited
from retrieval.search.dense import DenseIndex
from retrieval.search.embedding import CorpusVectors, embed_queries
from retrieval.search.fusion import fuse
from retrieval.search.rerank import blend, reranker_logits, sigmoid
from retrieval.search.results import Answer, FirstStage, answers_of, reranked, to_rerank
from retrieval.search.settings import NOT_A_RETRIEVER, RetrieverSettings, read_settings, write_settings

STAGES = ("bm25", "dense", "hybrid", "reranked")


@dataclass(frozen=True)
class Retriever:
    """Searches one corpus.

    Attributes:
        corpus: What can be found.
        bi_encoder: First-stage model.
        cross_encoder: Reranker; None leaves the first stage's order.
        index: Vectors of the corpus, made by ``bi_encoder``.
        bm25: Lexical index of the corpus.
        settings: How the parts are joined.
        runtime: Where to compute.
    """

    corpus: Corpus
    bi_encoder: BiEncoder
    cross_encoder: CrossEncoder | None
    index: DenseIndex
    bm25: Bm25Index
    settings: RetrieverSettings
    runtime: Runtime

    @classmethod
    def build(
        cls,
        corpus: Corpus,
        bi_encoder: BiEncoder,
        cross_encoder: CrossEncoder | None,
        vectors: CorpusVectors,
        settings: RetrieverSettings,
        runtime: Runtime,
    ) -> Retriever:
        """Join models and vectors, and index the corpus for BM25."""
        index = DenseIndex.of(corpus, vectors.passages, vectors.titles)
        return cls(corpus, bi_encoder, cross_encoder, index, settings.bm25(corpus), settings, runtime)

    def with_settings(self, settings: RetrieverSettings) -> Retriever:
        """The same retriever joined otherwise; BM25 is indexed anew only if its own settings differ."""
        bm25 = self.bm25 if settings.same_bm25(self.settings) else settings.bm25(self.corpus)
        return replace(self, settings=settings, bm25=bm25)

    def prepare(self, questions: Sequence[str]) -> list[Query]:
        """Queries of raw questions; see `queries`."""
        return self.queries([clean_line(question) for question in questions])

    def queries(self, texts: Sequence[CleanLine]) -> list[Query]:
        """Queries of clean questions, segmented where a part reads segmented text.

        Raises:
            SearchError: If a question has no text.
        """
        for position, text in enumerate(texts):
            if not text:
                raise SearchError(f"question {position + 1} is empty; type what you want to know")
        kinds = {self.bi_encoder.settings.text_kind, self.settings.bm25_units}
        kinds |= {self.cross_encoder.settings.text_kind} if self.cross_encoder else set()
        segmented = segment_texts(texts, 1, "") if kinds & {"segmented", "words"} else texts
        pairs = enumerate(zip(texts, segmented, strict=True))
        return [Query(str(number), text, segmented=words, source="live") for number, (text, words) in pairs]

    def first_stage(self, queries: Sequence[Query], vectors: NDArray[np.float32] | None = None) -> FirstStage:
        """BM25, dense and hybrid runs of some queries."""
        settings, qids = self.settings, [query.qid for query in queries]
        if vectors is None:
            vectors = embed_queries(self.bi_encoder, list(queries), self.runtime)
        weights = settings.title_weight if settings.titles else 0.0, settings.lead_passage_weight
        bm25 = self.bm25.search(queries, settings.candidates)
        dense = self.index.search(qids, vectors, settings.candidates, *weights)
        named = self.named(queries)
        mix = fuse(dense, bm25, settings.bm25_weight, settings.candidates)
        return FirstStage(vectors, bm25, dense, boost_cited(mix, named, settings.citation_weight), named)

    def named(self, queries: Sequence[Query]) -> tuple[Named, ...]:
        """(Q,) what each query names; empty where the settings do not look for names."""
        return tuple(self.cited_laws.named(query.text) for query in queries) if self.settings.citation_weight else ()

    @cached_property
    def cited_laws(self) -> CitedLaws:
        """How a question can name the laws of the corpus."""
        return CitedLaws.of(self.corpus)

    def logits(
        self, queries: Sequence[Query], stage: FirstStage, depth: int, label: str | None = None
    ) -> NDArray[np.float32]:
        """(Q, depth) reranker logits of the hybrid run's first hits.

        Raises:
            SearchError: If there is no cross-encoder.
        """
        if self.cross_encoder is None:
            raise SearchError("this retriever has no cross-encoder; train one or search without reranking")
        passages = self.index.best_passages(stage.vectors, stage.hybrid.rows[:, :depth])
        return reranker_logits(
            self.cross_encoder, self.corpus, queries, stage.hybrid, passages, self.settings.titles, self.runtime, label
        )

    def runs(
        self,
        queries: Sequence[Query],
        label: str | None = None,
        vectors: NDArray[np.float32] | None = None,
        known_logits: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> dict[str, TrecRun]:
        """Every stage's run: ``bm25``, ``dense``, ``hybrid`` and, with a cross-encoder, ``reranked``.

        Args:
            queries: Q queries.
            label: Name of the progress bar; None shows none.
            vectors: (Q, D) theirs, where they are embedded already.
            known_logits: As `rerank` takes them.
        """
        stage = self.first_stage(queries, vectors)
        runs = {"bm25": stage.bm25, "dense": stage.dense, "hybrid": stage.hybrid}
        if self.cross_encoder is None:
            return runs
        return {**runs, "reranked": self.rerank(queries, stage, label, known_logits)}

    def rerank(
        self,
        queries: Sequence[Query],
        stage: FirstStage,
        label: str | None = None,
        known_logits: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> TrecRun:
        """The first stage's hybrid run with its first hits reordered; as it is where the reranker has no share.

        Args:
            queries: Q queries.
            stage: What was found for them.
            label: Name of the progress bar; None shows none.
            known_logits: By query id, (depth or more,) logits of the same hits that were read before; only the other
                queries are read.
        """
        depth, known = self.settings.rerank_depth, known_logits or {}
        if self.settings.rerank_weight == 0.0:
            return replace(stage.hybrid, name="reranked")
        unread = [row for row, query in enumerate(queries) if query.qid not in known]
        logits = np.empty((len(queries), min(depth, stage.hybrid.rows.shape[1])), np.float32)
        if unread:
            logits[unread] = self.logits([queries[row] for row in unread], stage.part(unread), depth, label)
        for row, query in enumerate(queries):
            if query.qid in known:
                logits[row] = known[query.qid][: logits.shape[1]]
        return blend(stage.hybrid, logits, depth, self.settings.rerank_weight)

    def search(self, question: str, k: int = 10) -> list[Answer]:
        """The ``k`` best articles for one question.

        Raises:
            SearchError: If the question has no text.
        """
        queries = self.prepare([question])
        stage = self.first_stage(queries)
        if self.cross_encoder is None:
            return self.answers(stage, stage.hybrid, k)
        found = self.answers(stage, stage.hybrid, stage.hybrid.rows.shape[1])
        read = to_rerank(found, self.settings)
        probabilities = sigmoid(self.logits(queries, stage, len(read)))[0] if read else ()
        return reranked(found, probabilities, self.settings)[:k]

    def answers(self, stage: FirstStage, run: TrecRun, k: int) -> list[Answer]:
        """The ``k`` best articles of a run of one question: ``stage.hybrid``, or the same reordered."""
        return answers_of(self.corpus, self.index, stage, run, k, self.settings.titles)

    def save(self, folder: Path) -> None:
        """Write everything into ``folder``, whole or not at all."""
        with write_folder(folder) as staging:
            self.bi_encoder.save(staging / BI_ENCODER)
            if self.cross_encoder is not None:
                self.cross_encoder.save(staging / CROSS_ENCODER)
            save_dataset(Dataset(self.corpus, ()), staging / CORPUS)
            self.bm25.save(staging / BM25)
            np.save(staging / PASSAGE_VECTORS, self.index.passages)
            np.save(staging / TITLE_VECTORS, self.index.titles)
            write_settings(self.settings, staging)


def load_retriever(folder: Path, runtime: Runtime) -> Retriever:
    """Load a folder written by `Retriever.save`, after checking every file's SHA-256.

    Raises:
        ArtifactError: If the folder is missing, incomplete or altered.

    Example:
        retriever = load_retriever(Path("models/legal-retriever/1"), choose_runtime())
        retriever.search("Thời gian thử việc tối đa là bao lâu?", 5)[0].article.cid  # such as "45/2019/QH14:25"
    """
    verify_folder(folder)
    return read_retriever(folder, runtime)


def read_retriever(folder: Path, runtime: Runtime, rerank: bool = True) -> Retriever:
    """Load a folder whose files were checked already.

    Args:
        folder: Written by `Retriever.save`.
        runtime: Where to compute.
        rerank: Load the cross-encoder, where there is one.

    Raises:
        ArtifactError: If the folder holds something else.
    """
    try:
        passages = np.load(folder / PASSAGE_VECTORS, allow_pickle=False)
        titles = np.load(folder / TITLE_VECTORS, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{folder}: not a retriever ({error}); {NOT_A_RETRIEVER}") from error
    settings, corpus = read_settings(folder), load_dataset(folder / CORPUS).corpus
    reranker = folder / CROSS_ENCODER
    return Retriever(
        corpus,
        load_bi_encoder(folder / BI_ENCODER),
        load_cross_encoder(reranker) if rerank and reranker.is_dir() else None,
        DenseIndex.of(corpus, passages, titles),
        Bm25Index.load(folder / BM25),
        settings,
        runtime,
    )
