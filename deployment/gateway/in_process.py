"""Both stages in this process, each behind the queue of its engine."""

from __future__ import annotations

from collections.abc import Sequence

from deployment.bundle.format import Bundle
from deployment.engine.embedding import EmbeddingEngine
from deployment.engine.loading import bundled_reranker
from deployment.engine.reranking import RerankingEngine
from deployment.errors import DeadlinePassed, Fallback, Overloaded, Refusal
from deployment.gateway.article_view import ArticleView
from deployment.gateway.stages import Document, RerankFault, StageStanding
from deployment.settings import ServingSettings
from monitoring.cost import Price, price_of
from monitoring.endpoint_metrics import EndpointMetrics
from retrieval.data.cleaning import CleanLine
from retrieval.runtime import choose_runtime
from retrieval.search.results import Answer

FREE = price_of("local")
"""Of one's own machine, which nobody bills."""
_REASONS: dict[type[Refusal], Fallback] = {Overloaded: "overloaded", DeadlinePassed: "slow"}


class OwnFirstStage:
    """The bi-encoder of this process."""

    def __init__(self, engine: EmbeddingEngine, deadline_seconds: float, price: Price = FREE) -> None:
        """Wrap an engine; ``deadline_seconds`` is the longest wait for it, ``price`` that of the machine."""
        self._engine, self._deadline_seconds, self._price = engine, deadline_seconds, price

    async def standing(self) -> StageStanding:
        """It is here."""
        return StageStanding()

    async def search(self, question: CleanLine, top_k: int) -> list[Answer]:
        """The best articles for a question.

        Raises:
            Refusal: If the queue is full or the model fails.
        """
        found = await self._engine.search_clean(question, top_k, self._deadline_seconds)
        self._engine.metrics.spent(found.timings.worker, self._price.usd(found.timings.worker))
        return found.answers

    async def warm_up(self) -> None:
        """Have the model lay out what it lays out once."""
        await self._engine.warm_up()

    async def close(self) -> None:
        """Finish what waits."""
        await self._engine.close()


class OwnReranker:
    """The cross-encoder of this process."""

    def __init__(self, engine: RerankingEngine, price: Price = FREE) -> None:
        """Wrap an engine; ``price`` is that of the machine."""
        self._engine, self._price = engine, price

    async def standing(self) -> StageStanding:
        """It is here, and knows what its engine knows."""
        return StageStanding(passage_states=self._engine.passage_states)

    async def score(self, question: CleanLine, documents: Sequence[Document], budget_seconds: float) -> list[float]:
        """Probabilities of documents, in order.

        Raises:
            RerankFault: If the queue is full or the model fails.
        """
        read = [(one.title, one.text) if one.title else (one.text,) for one in documents]
        try:
            scored = await self._engine.score_clean(question, read, budget_seconds)
        except Refusal as refusal:
            raise RerankFault(_REASONS.get(type(refusal), "bad_answer"), str(refusal)) from refusal
        self._engine.metrics.spent(scored.timings.worker, self._price.usd(scored.timings.worker))
        return [float(score) for score in scored.scores]

    async def warm_up(self) -> None:
        """Have the model lay out what it lays out once."""
        await self._engine.warm_up()

    async def close(self) -> None:
        """Finish what waits."""
        await self._engine.close()


def own_stages(
    bundle: Bundle, settings: ServingSettings, metrics: EndpointMetrics
) -> tuple[OwnFirstStage, OwnReranker | None, ArticleView]:
    """Load a bundle's models, and its law once for all of them.

    Args:
        bundle: Opened, so that its files are verified.
        settings: Of the gateway.
        metrics: Of the gateway.
    """
    runtime = choose_runtime(settings.precision, settings.threads)
    price = price_of(settings.machine, settings.machine_usd_per_hour)
    retriever = bundle.retriever(runtime)
    engine = EmbeddingEngine(retriever, bundle.facts, metrics, settings.queue_tokens)
    model, reranker = retriever.cross_encoder, None
    if model is not None:
        reranker = OwnReranker(bundled_reranker(bundle, model, runtime, settings, metrics), price)
    return OwnFirstStage(engine, settings.deadline_seconds, price), reranker, ArticleView(retriever.corpus)
