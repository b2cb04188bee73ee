"""The bi-encoder behind its queue: texts become vectors, questions become articles."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deployment.bundle.format import BundleFacts
from deployment.engine.model_queue import ModelQueue, Read, Rows, Timings
from deployment.errors import InvalidInput
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.traces import span
from retrieval.data.cleaning import CleanLine, clean_line, clean_text
from retrieval.data.fields import query_texts
from retrieval.data.segmentation import segment_texts
from retrieval.errors import SearchError
from retrieval.models.bi_encoder import BiEncoder
from retrieval.records import Query
from retrieval.runtime import Runtime
from retrieval.search.results import Answer
from retrieval.search.retriever import Retriever

InputType = Literal["query", "passage"]
_WARM_UP = "Người lao động được nghỉ phép năm bao nhiêu ngày?"


@dataclass(frozen=True)
class Embedded:
    """Vectors of some texts.

    Attributes:
        vectors: (N, D) float32.
        read: What the model read of them.
        timings: Where the time went.
    """

    vectors: NDArray[np.float32]
    read: Read
    timings: Timings


@dataclass(frozen=True)
class Found:
    """Articles for a question, best first.

    Attributes:
        answers: At most as many as were asked for.
        read: What the model read of the question.
        timings: Where the time went; ``infer`` includes the search.
    """

    answers: list[Answer]
    read: Read
    timings: Timings


@dataclass(frozen=True)
class EncoderAlone:
    """A bi-encoder without an index: it embeds and does not search.

    Attributes:
        bi_encoder: The model.
        runtime: Where to compute.
    """

    bi_encoder: BiEncoder
    runtime: Runtime


class EmbeddingEngine:
    """Embeds and searches with the first stage of a retriever.

    Attributes:
        facts: Versions of what is served.
        dimension: Numbers in one vector.
        metrics: Of the service.
        loaded_at: Unix time of its loading, in seconds.
    """

    def __init__(
        self,
        retriever: Retriever | EncoderAlone,
        facts: BundleFacts,
        metrics: EndpointMetrics,
        queue_tokens: int = 200_000,
    ) -> None:
        """Wrap a retriever; its cross-encoder is not used."""
        self.facts, self.metrics, self.loaded_at = facts, metrics, int(time.time())
        self._retriever, self._encoder = retriever, retriever.bi_encoder
        self._encoder.backbone.requires_grad_(False)  # nothing learns here, so no call looks whether something did
        self.dimension = self._encoder.settings.dimension
        self._queue = ModelQueue(self._encoder.encode_rows, retriever.runtime, metrics, queue_tokens)
        metrics.embeds(self.dimension)

    async def warm_up(self) -> None:
        """Answer one question, so that the first client does not wait for what is laid out once."""
        if isinstance(self._retriever, Retriever):
            await self.search(_WARM_UP, 1)
        await self.embed([_WARM_UP], "passage")

    async def close(self) -> None:
        """Finish what waits and end the threads."""
        await self._queue.close()

    async def embed(
        self, texts: Sequence[str], input_type: InputType = "query", deadline_seconds: float | None = None
    ) -> Embedded:
        """Vectors of texts, in order.

        Args:
            texts: As a client sent them.
            input_type: Whether they are questions or pieces of law, which the encoder reads differently.
            deadline_seconds: Longest wait for the model.
        """
        started = time.monotonic()
        queries = input_type == "query"
        rows, whole = await self._queue.prepare(lambda: tokenised(self._encoder, texts, queries))
        return await self._run(rows, whole, started, deadline_seconds)

    async def _run(self, rows: Rows, whole: Sequence[int], started: float, deadline_seconds: float | None) -> Embedded:
        """Vectors of rows whose texts had as many tokens as ``whole`` says."""
        read, tokenise = self._queue.read(rows, whole), time.monotonic() - started
        done = await self._queue.run(rows, deadline_seconds)
        vectors = np.stack(done.results)
        return Embedded(vectors, read, Timings(done.queue_seconds, tokenise, done.infer_seconds, done.worker_seconds))

    async def search(self, question: str, top_k: int = 10, deadline_seconds: float | None = None) -> Found:
        """The first stage's best articles for a question.

        Args:
            question: As a client sent it.
            top_k: Articles at most.
            deadline_seconds: Longest wait for the model.

        Raises:
            InvalidInput: If there is no index, or nothing readable is in the question.
        """
        return await self._search(lambda: clean_line(question), top_k, deadline_seconds)

    async def search_clean(self, question: CleanLine, top_k: int = 10, deadline_seconds: float | None = None) -> Found:
        """The same for a question that was cleaned already."""
        return await self._search(lambda: question, top_k, deadline_seconds)

    async def _search(self, ask: Callable[[], CleanLine], top_k: int, deadline_seconds: float | None) -> Found:
        started, retriever = time.monotonic(), self._retriever
        if isinstance(retriever, EncoderAlone):
            raise InvalidInput("action search: there is a model here and no index; serve a bundle, or ask for embed")

        def prepare() -> tuple[list[Query], Rows, list[int]]:
            made = retriever.queries([ask()])
            return made, *self._encoder.tokenize_counted(query_texts(made, self._encoder.settings.text_kind), True)

        try:
            queries, rows, whole = await self._queue.prepare(prepare)
        except SearchError as error:
            raise InvalidInput(str(error)) from error
        embedded = await self._run(rows, whole, started, deadline_seconds)
        searching = time.monotonic()

        def find() -> list[Answer]:
            stage = retriever.first_stage(queries, embedded.vectors)
            return retriever.answers(stage, stage.hybrid, top_k)

        with span("search"):
            answers = await self._queue.prepare(find)
        spent = time.monotonic() - searching
        timings = embedded.timings
        prepared = searching - started - timings.queue - timings.infer
        infer, worker = timings.infer + spent, timings.worker + spent / retriever.runtime.threads
        return Found(answers, embedded.read, Timings(timings.queue, prepared, infer, worker))


def tokenised(encoder: BiEncoder, texts: Sequence[str], queries: bool) -> tuple[list[list[int]], list[int]]:
    """Rows of texts as the encoder was trained to read them, and the length of each before it was cut.

    A question passes through the same cleaning as in training, a piece of law too, and through PyVi where the encoder
    reads segmented text.
    """
    clean: list[str] = [clean_line(text) if queries else clean_text(text) for text in texts]
    if encoder.settings.text_kind == "segmented":
        clean = segment_texts(clean, 1, "")
    return encoder.tokenize_counted(clean, queries)
