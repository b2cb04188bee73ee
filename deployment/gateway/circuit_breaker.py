"""How long the gateway waits for a reranker, and when it stops asking one that keeps failing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from deployment.gateway.stages import Document, Reranker, RerankFault, StageStanding
from retrieval.data.cleaning import CleanLine

_logger = logging.getLogger(__name__)


class CircuitBreakerReranker:
    """A reranker with a budget: too slow is a fault, and after faults in a row it rests.

    A reranker that hangs would otherwise delay every question by the whole budget. After its rest one question tries
    it again; the others do not wait for that trial.
    """

    def __init__(
        self,
        reranker: Reranker,
        budget_seconds: float,
        faults_before_rest: int = 3,
        rest_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wrap a reranker.

        Args:
            reranker: Asked.
            budget_seconds: Longest wait for one question.
            faults_before_rest: Faults in a row after which it rests.
            rest_seconds: How long it is not asked.
            clock: Monotonic seconds.
        """
        self._reranker, self._budget_seconds, self._clock = reranker, budget_seconds, clock
        self._faults_before_rest, self._rest_seconds = faults_before_rest, rest_seconds
        self._faults, self._asked_again_at = 0, 0.0

    async def score(self, question: CleanLine, documents: Sequence[Document]) -> list[float]:
        """Probabilities of documents, in order.

        Raises:
            RerankFault: If there are none within the budget, or it rests.
        """
        if self._faults >= self._faults_before_rest:
            now = self._clock()
            if now < self._asked_again_at:
                raise RerankFault("circuit_open", f"the circuit is open for {self._asked_again_at - now:.1f} s more")
            self._asked_again_at = now + self._rest_seconds  # this question tries; others go on without
        try:
            asked = self._reranker.score(question, documents, self._budget_seconds)
            scores = await asyncio.wait_for(asked, self._budget_seconds)
        except TimeoutError as error:
            fault = RerankFault("slow", f"the reranker took more than {self._budget_seconds:g} s")
            self._note(fault)
            raise fault from error
        except RerankFault as fault:
            self._note(fault)
            raise
        if self._faults >= self._faults_before_rest:
            _logger.info("the reranker answers again")
        self._faults = 0
        return scores

    async def standing(self) -> StageStanding:
        """Whether the reranker can answer."""
        return await self._reranker.standing()

    async def warm_up(self) -> None:
        """Warm the reranker up, however long that takes."""
        await self._reranker.warm_up()

    async def close(self) -> None:
        """Let go of the reranker."""
        await self._reranker.close()

    def _note(self, fault: RerankFault) -> None:
        if fault.reason == "overloaded":
            return  # busy is not broken: it says so at once, which costs the question nothing
        self._faults += 1
        _logger.warning("first stage's order, for the reranker failed: %s", fault)
        if self._faults == self._faults_before_rest:
            _logger.warning("the circuit is open for %g s after %d faults in a row", self._rest_seconds, self._faults)
        if self._faults >= self._faults_before_rest:
            self._asked_again_at = self._clock() + self._rest_seconds
