"""The cross-encoder behind its queue: a question and documents become scores."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployment.bundle.format import BundleFacts
from deployment.engine.model_queue import ModelQueue, Read, Rows, Timings
from deployment.engine.precomputed_states import BundledStates
from deployment.engine.states_report import PassageStatesOut
from monitoring.endpoint_metrics import EndpointMetrics
from retrieval.data.cleaning import CleanLine, clean_line, clean_text
from retrieval.data.segmentation import segment_texts
from retrieval.errors import RetrievalError
from retrieval.models.cross_encoder import CrossEncoder
from retrieval.models.frozen_layers import TokenStates
from retrieval.models.pair import Document, Pair
from retrieval.models.state_cache import StateCache
from retrieval.runtime import Runtime
from retrieval.search.rerank import sigmoid

FindLaw = Callable[[], TokenStates | None]
_LOOK_AGAIN_SECONDS = 5.0
_logger = logging.getLogger(__name__)
_WARM_UP = ("Nghỉ phép năm bao nhiêu ngày?", "Người lao động làm việc đủ 12 tháng được nghỉ hằng năm 12 ngày.")


@dataclass(frozen=True)
class Scored:
    """Scores of some documents.

    Attributes:
        logits: (N,) float32.
        scores: (N,) float32 within 0 and 1.
        read: What the model read of each pair.
        timings: Where the time went.
    """

    logits: NDArray[np.float32]
    scores: NDArray[np.float32]
    read: Read
    timings: Timings


class RerankingEngine:
    """Scores pairs with a cross-encoder.

    Attributes:
        facts: Versions of what is served.
        metrics: Of the service.
        loaded_at: Unix time of its loading, in seconds.
    """

    def __init__(
        self,
        cross_encoder: CrossEncoder,
        facts: BundleFacts,
        runtime: Runtime,
        metrics: EndpointMetrics,
        queue_tokens: int = 200_000,
        known_text_megabytes: int = 256,
        find_law: FindLaw | None = None,
    ) -> None:
        """Wrap a model; where its lower layers read law apart, what they gave of it is kept within a bound.

        Args:
            cross_encoder: The model.
            facts: Of its bundle.
            runtime: Where to compute.
            metrics: Of the service.
            queue_tokens: Tokens that may wait.
            known_text_megabytes: The bound.
            find_law: Gives what was read of the law beforehand, or None; runs in a thread when the service is ready,
                and again from time to time until it gives something.
        """
        cross_encoder.backbone.requires_grad_(False)  # nothing learns here, so no call looks whether something did
        self._find_law = find_law
        self._looking: threading.Thread | None = None
        self._closing = threading.Event()
        if cross_encoder.late is not None and known_text_megabytes:
            cross_encoder.late.memory = StateCache(known_text_megabytes << 20)
        self.facts, self._model, self.metrics, self.loaded_at = facts, cross_encoder, metrics, int(time.time())
        self._queue = ModelQueue(cross_encoder.score_rows, runtime, metrics, queue_tokens)

    async def warm_up(self) -> None:
        """Score one pair, so that the first client does not wait for what is laid out once."""
        await self.score(_WARM_UP[0], [_WARM_UP[1]])
        self.look_for_law()

    @property
    def passage_states(self) -> PassageStatesOut | None:
        """What is known of the law beforehand; None where nothing can be."""
        return self._find_law.passage_states if isinstance(self._find_law, BundledStates) else None

    async def readiness(self) -> dict[str, Any]:
        """What ``/ready`` says besides."""
        return {"passage_states": self.passage_states}

    def look_for_law(self) -> None:
        """Begin to look for what was read of the law beforehand; meanwhile requests are answered without it.

        In a thread of its own, for it takes seconds and no event loop outlives it in every worker.
        """
        late, find = self._model.late, self._find_law
        if late is None or find is None or self._looking is not None:
            return

        def look() -> None:
            try:
                while (states := find()) is None:
                    if self._closing.wait(_LOOK_AGAIN_SECONDS):
                        return
                late.states = (states,)
            except (RetrievalError, OSError):
                _logger.exception(
                    "what was read of the law beforehand cannot be used; requests are answered without it"
                )

        self._looking = threading.Thread(target=look, name="law", daemon=True)
        self._looking.start()

    async def close(self) -> None:
        """Finish what waits and end the threads."""
        self._closing.set()
        if self._looking is not None:
            await asyncio.to_thread(self._looking.join)
        await self._queue.close()

    async def score(self, query: str, documents: Sequence[Document], deadline_seconds: float | None = None) -> Scored:
        """Scores of documents for one question, in order; see `score_pairs`."""
        return await self.score_pairs([(query, document) for document in documents], deadline_seconds)

    async def score_clean(
        self, query: CleanLine, documents: Sequence[Document], deadline_seconds: float | None = None
    ) -> Scored:
        """The same for a question that was cleaned already."""
        return await self._score([(query, one) for one in documents], {query: query}, deadline_seconds)

    async def score_pairs(self, pairs: Sequence[Pair], deadline_seconds: float | None = None) -> Scored:
        """Scores of pairs, in order.

        Args:
            pairs: Question and document as a client sent them; a document may be a title and a body.
            deadline_seconds: Longest wait for the model.
        """
        return await self._score(pairs, {}, deadline_seconds)

    async def _score(
        self, pairs: Sequence[Pair], cleaned: Mapping[str, CleanLine], deadline_seconds: float | None
    ) -> Scored:
        """Scores of pairs, of whose questions some were cleaned before."""
        started = time.monotonic()
        rows, whole = await self._queue.prepare(lambda: self._tokenised(pairs, cleaned))
        read, tokenise = self._queue.read(rows, whole), time.monotonic() - started
        done = await self._queue.run(rows, deadline_seconds)
        logits = np.array(done.results, dtype=np.float32)
        scores = sigmoid(logits)
        if len(scores):
            self.metrics.scored(scores.tolist())
        timings = Timings(done.queue_seconds, tokenise, done.infer_seconds, done.worker_seconds)
        return Scored(logits, scores, read, timings)

    def _tokenised(self, pairs: Sequence[Pair], cleaned: Mapping[str, CleanLine]) -> tuple[Rows, list[int]]:
        """Rows of pairs as the model was trained to read them, and the length of each before it was cut.

        A question is cleaned once, whatever the number of its documents.
        """
        asked = {query: cleaned.get(query) or clean_line(query) for query in dict.fromkeys(query for query, _ in pairs)}
        queries: list[str] = [asked[query] for query, _ in pairs]
        documents = [(one,) if isinstance(one, str) else one for _, one in pairs]
        texts = {text: clean_text(text) for one in documents for text in one}
        if self._model.settings.text_kind == "segmented":
            queries = segment_texts(queries, 1, "")
            texts = dict(zip(texts, segment_texts(list(texts.values()), 1, ""), strict=True))
        read = [tuple(texts[text] for text in one) for one in documents]
        return self._model.tokenize_counted(list(zip(queries, read, strict=True)))
