"""From one question to ranked law: first stage, reranker within its budget, blend, and what a person is shown."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import Any

from deployment.bundle.format import BundleFacts
from deployment.errors import Fallback, InvalidInput, NotReady
from deployment.gateway.article_view import ArticleView, head
from deployment.gateway.circuit_breaker import CircuitBreakerReranker
from deployment.gateway.payloads import ComponentsOut, HitOut, SearchOut, TimingsOut, WeightsOut
from deployment.gateway.stages import Document, FirstStage, RerankFault
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.traces import span
from retrieval.data.cleaning import CleanLine, clean_line
from retrieval.search.results import Answer, reranked, to_rerank
from retrieval.search.settings import RetrieverSettings


@dataclass(frozen=True)
class Reranked:
    """Answers in their final order.

    Attributes:
        answers: Best first.
        done: Whether the reranker had its say.
        fallback: Why not, where it was asked for.
    """

    answers: list[Answer]
    done: bool
    fallback: Fallback | None


class SearchEngine:
    """What the gateway serves.

    Attributes:
        facts: Versions of what is served.
        library: The law it shows.
    """

    def __init__(
        self,
        first_stage: FirstStage,
        reranker: CircuitBreakerReranker | None,
        library: ArticleView,
        settings: RetrieverSettings,
        facts: BundleFacts,
        metrics: EndpointMetrics,
    ) -> None:
        """Join the parts; without a reranker, or where it has no share, the first stage's order is final."""
        self.facts, self.library = facts, library
        self._first_stage, self._settings, self._metrics = first_stage, settings, metrics
        self._reranker = reranker if settings.rerank_weight > 0 else None

    async def warm_up(self) -> None:
        """Lay out what the first client should not wait for."""
        await asyncio.to_thread(lambda: self.library.common)
        await self._first_stage.warm_up()
        if self._reranker is not None:
            await self._reranker.warm_up()

    async def readiness(self) -> dict[str, Any]:
        """What ``/ready`` says of the stages.

        Raises:
            NotReady: If the first stage cannot answer; without the reranker its order stands.
        """
        stages = {"bi_encoder": self._first_stage, "cross_encoder": self._reranker}
        asked = {name: stage for name, stage in stages.items() if stage is not None}
        found = dict(zip(asked, await asyncio.gather(*(stage.standing() for stage in asked.values())), strict=True))
        first = found["bi_encoder"].service
        if first is not None and first.status != "ready":
            raise NotReady(first.reason, retry_after_seconds=1)
        services = {name: one.service for name, one in found.items() if one.service is not None}
        states = [one.passage_states for one in found.values() if one.passage_states is not None]
        return {"services": services or None, "passage_states": states[0] if states else None}

    async def close(self) -> None:
        """Let go of both stages."""
        await self._first_stage.close()
        if self._reranker is not None:
            await self._reranker.close()

    async def search(self, question: str, top_k: int, rerank: bool) -> SearchOut:
        """The best articles for a question, as a person is shown them.

        Args:
            question: As a client sent it.
            top_k: Articles at most.
            rerank: Whether the first ones are to be read by the reranker.

        Raises:
            Refusal: If nothing readable is in the question, or the first stage cannot answer.
        """
        started = time.monotonic()
        asked = clean_line(question)
        if not asked:
            raise InvalidInput("question: nothing readable is in it; type what you want to know")
        depth = self._settings.rerank_depth if rerank and self._reranker else 0
        with span("first stage", "client"):
            found = await self._first_stage.search(asked, max(top_k, depth))
        searched = time.monotonic()
        final = await self._rerank(asked, found) if rerank else Reranked(found, False, None)
        ended = time.monotonic()
        if final.fallback is not None:
            self._metrics.fell_back(final.fallback)
        return SearchOut(
            question=asked,
            results=[self._hit(rank, one, asked) for rank, one in enumerate(final.answers[:top_k], start=1)],
            reranked=final.done,
            fallback_reason=final.fallback,
            weights=self._weights(),
            model_version=self.facts.retriever,
            index_version=self.facts.index,
            timings_ms=TimingsOut(
                first_stage=_ms(searched - started),
                rerank=_ms(ended - searched),
                total=_ms(time.monotonic() - started),
            ),
        )

    async def _rerank(self, question: CleanLine, found: list[Answer]) -> Reranked:
        if self._reranker is None:
            return Reranked(found, False, "no_reranker")
        settings = self._settings
        documents = [_document(one, settings.titles) for one in to_rerank(found, settings)]
        if not documents:
            return Reranked(found, False, None)
        try:
            with span("rerank", "client"):
                probabilities = await self._reranker.score(question, documents)
        except RerankFault as fault:
            return Reranked(found, False, fault.reason)
        return Reranked(reranked(found, probabilities, settings), True, None)

    def _hit(self, rank: int, answer: Answer, question: str) -> HitOut:
        snippet, marks = self.library.snippet(answer.snippet, question)
        return HitOut(
            **head(answer.article).model_dump(),
            rank=rank,
            score=answer.score,
            title_marks=self.library.marks(answer.article.title, question),
            snippet=snippet,
            snippet_marks=marks,
            components=ComponentsOut(**asdict(answer.first_stage), reranker=answer.reranker),
        )

    def _weights(self) -> WeightsOut:
        settings = self._settings
        share = settings.rerank_weight if self._reranker else 0.0
        return WeightsOut(bm25=settings.bm25_weight, dense=1.0 - settings.bm25_weight, reranker=share)


def _document(answer: Answer, titles: bool) -> Document:
    return Document(answer.article.cid, answer.article.title if titles else "", answer.snippet)


def _ms(seconds: float) -> float:
    return round(1000.0 * seconds, 3)
