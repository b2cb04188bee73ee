"""The two stages as the gateway sees them, wherever they run, and the ways in which the second can fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from deployment.api.responses import ServiceOut
from deployment.engine.states_report import PassageStatesOut
from deployment.errors import Fallback, ServingError
from retrieval.data.cleaning import CleanLine
from retrieval.search.results import Answer


class RerankFault(ServingError):  # noqa: N818 - a fault that the gateway survives
    """The reranker gave no scores in time; the first stage's order stands.

    Attributes:
        reason: What the client is told.
    """

    def __init__(self, reason: Fallback, message: str) -> None:
        super().__init__(message)
        self.reason: Fallback = reason


@dataclass(frozen=True, slots=True)
class Document:
    """What the reranker reads of one article.

    Attributes:
        cid: The article.
        title: Read before the text; empty where titles are hidden.
        text: Its passage nearest to the question.
    """

    cid: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class StageStanding:
    """Whether a stage can answer.

    Attributes:
        service: The service it is; None where it runs in this process.
        passage_states: What it knows of the law beforehand; None where it says nothing of that.
    """

    service: ServiceOut | None = None
    passage_states: PassageStatesOut | None = None


class FirstStage(Protocol):
    """Finds articles."""

    async def standing(self) -> StageStanding:
        """Whether it can answer."""

    async def search(self, question: CleanLine, top_k: int) -> list[Answer]:
        """The best articles for a question.

        Raises:
            Refusal: If there are none to be had; the client is told why.
        """

    async def warm_up(self) -> None:
        """Do what should not be done while the first client waits."""

    async def close(self) -> None:
        """Let go of what it holds."""


class Reranker(Protocol):
    """Scores articles."""

    async def standing(self) -> StageStanding:
        """Whether it can answer."""

    async def score(self, question: CleanLine, documents: Sequence[Document], budget_seconds: float) -> list[float]:
        """Probabilities of documents, in order.

        Raises:
            RerankFault: If there are none in time.
        """

    async def warm_up(self) -> None:
        """Do what should not be done while the first client waits."""

    async def close(self) -> None:
        """Let go of what it holds."""
