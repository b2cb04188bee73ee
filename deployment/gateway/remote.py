"""Both stages as services elsewhere, asked over kept connections; whatever they answer is checked before it is used."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deployment.api.request_ids import outgoing_headers
from deployment.api.responses import FirstStageOut
from deployment.errors import NotReady, Overloaded, Refusal, UpstreamFault
from deployment.gateway.readiness import KEY_ADVICE, KEY_REFUSED, PROBE, look_at, other_index
from deployment.gateway.runpod_endpoint import SCHEME, RunPodTransport
from deployment.gateway.stages import Document, RerankFault, StageStanding
from deployment.gateway.watch import ServiceWatch
from deployment.gateway.worker_measures import WorkerMeasures
from retrieval.data.cleaning import CleanLine
from retrieval.names import BI_ENCODER, CROSS_ENCODER
from retrieval.records import Corpus
from retrieval.search.results import Answer, FirstStageScores

_CONNECT_SECONDS = 2.0
_CONNECTIONS = httpx.Limits(max_connections=128, max_keepalive_connections=32, keepalive_expiry=30.0)
_RETRIES = 1  # of connecting, never of a request: a kept connection can have been closed meanwhile
Finite = Annotated[float, Field(allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Parsed = TypeVar("Parsed", bound=BaseModel)


class _Lenient(BaseModel):
    """Services may say more than the gateway reads."""

    model_config = ConfigDict(extra="ignore")


class _Found(_Lenient):
    cid: str
    score: Finite
    snippet: str
    components: FirstStageOut


class _FoundAll(_Lenient):
    index_version: str
    results: list[_Found]


class _Scored(_Lenient):
    index: int
    score: Probability


class _ScoredAll(_Lenient):
    results: list[_Scored]


class RemoteFirstStage:
    """The bi-encoder service.

    Attributes:
        url: Where it answers.
    """

    def __init__(
        self, url: str, key: str, corpus: Corpus, index: str, timeout_seconds: float, transport: Transport = None
    ) -> None:
        """Set up; connects when it is first asked.

        Args:
            url: Of the service.
            key: API key; empty sends none.
            corpus: What the gateway shows; the service must search the same.
            index: Version of that index.
            timeout_seconds: For an answer.
            transport: Of httpx; None takes its own.
        """
        self.url, self._corpus, self._index = url, corpus, index
        self._client = _client(url, key, timeout_seconds, transport)
        look = look_at(self._client, lambda: self.search(PROBE, 1), index)
        self._watch = ServiceWatch(BI_ENCODER, url, look)

    async def standing(self) -> StageStanding:
        """Whether a question to it would be answered now."""
        return StageStanding(self._watch.told(await self._watch.seen()))

    async def search(self, question: CleanLine, top_k: int) -> list[Answer]:
        """The best articles for a question.

        Raises:
            Refusal: What the service answered, if it refused; else that it is down or answered badly.
        """
        payload = {"action": "search", "question": question, "top_k": top_k}
        try:
            response = await self._client.post("/infer", json=payload)
        except httpx.HTTPError as error:
            raise UpstreamFault(f"the bi-encoder service did not answer ({_named(error)}); try again soon") from error
        if response.status_code != httpx.codes.OK:
            raise self._refusal(response)
        try:
            found = _parsed(_FoundAll, response)
            if found.index_version != self._index:
                raise other_index(found.index_version, self._index)
            return [self._answer(one) for one in found.results]
        except (ValidationError, KeyError) as error:
            raise UpstreamFault("the bi-encoder service answered in an unknown shape; see its version") from error

    async def warm_up(self) -> None:
        """Nothing: the service warms up by itself."""

    async def close(self) -> None:
        """Close its connections."""
        await self._watch.close()
        await self._client.aclose()

    def _answer(self, found: _Found) -> Answer:
        article = self._corpus.articles[self._corpus.row_of[found.cid]]
        scores = FirstStageScores(**found.components.model_dump())
        return Answer(article, found.score, found.snippet, scores)

    def _refusal(self, response: httpx.Response) -> Refusal:
        if response.status_code in KEY_REFUSED:
            return UpstreamFault(f"the bi-encoder service answered {response.status_code}; {KEY_ADVICE}")
        waiting = _seconds(response.headers.get("retry-after", ""))
        kinds: dict[int, Callable[[str, float | None], Refusal]] = {429: Overloaded, 503: NotReady}
        kind = kinds.get(response.status_code, UpstreamFault)
        return kind(f"the bi-encoder service answered {response.status_code}; try again soon", waiting)


class RemoteReranker:
    """The cross-encoder service.

    Attributes:
        url: Where it answers.
    """

    def __init__(self, url: str, key: str, timeout_seconds: float, transport: Transport = None) -> None:
        """Set up; see `RemoteFirstStage`."""
        self.url, self._client = url, _client(url, key, timeout_seconds, transport)
        look = look_at(self._client, lambda: self.score(PROBE, [Document("", "", PROBE)], timeout_seconds))
        self._watch = ServiceWatch(CROSS_ENCODER, url, look)

    async def standing(self) -> StageStanding:
        """Whether documents would be scored now, and what it knows of the law beforehand."""
        seen = await self._watch.seen()
        return StageStanding(self._watch.told(seen), seen.facts.get("passage_states"))

    async def score(self, question: CleanLine, documents: Sequence[Document], budget_seconds: float) -> list[float]:
        """Probabilities of documents, in order.

        Raises:
            RerankFault: If the service is down, slow or busy, or its answer is not one probability for each.
        """
        payload = {
            "action": "rerank",
            "query": question,
            "documents": [{"id": one.cid, "title": one.title, "text": one.text} for one in documents],
        }
        headers = {"x-deadline-seconds": f"{max(0.1, budget_seconds):.3f}"}
        try:
            response = await self._client.post("/infer", json=payload, headers=headers)
        except httpx.TimeoutException as error:
            raise RerankFault("slow", f"no answer from {self.url} in time ({_named(error)})") from error
        except httpx.HTTPError as error:
            raise RerankFault("down", f"no answer from {self.url} ({_named(error)})") from error
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise RerankFault("overloaded", f"{self.url} is busy")
        if response.status_code != httpx.codes.OK:
            raise RerankFault("down", f"{self.url} {_refused(response)}")
        try:
            scored = _parsed(_ScoredAll, response)
        except ValidationError as error:
            raise RerankFault("bad_answer", f"{self.url} answered in an unknown shape") from error
        scores = {one.index: one.score for one in scored.results}
        if sorted(scores) != list(range(len(documents))) or len(scored.results) != len(documents):
            raise RerankFault("bad_answer", f"{self.url} scored {len(scored.results)} of {len(documents)} documents")
        return [scores[row] for row in range(len(documents))]

    async def warm_up(self) -> None:
        """Nothing: the service warms up by itself."""

    async def close(self) -> None:
        """Close its connections."""
        await self._watch.close()
        await self._client.aclose()


Transport = httpx.AsyncBaseTransport | None


def transport_to(
    url: str, measures: Callable[[], WorkerMeasures], index: str = ""
) -> tuple[str, httpx.AsyncBaseTransport]:
    """Where a stage is asked, and how.

    Args:
        url: Of a service, or of a RunPod endpoint after ``runpod+``.
        measures: Makes what counts what workers of such an endpoint tell.
        index: Version of the index that is expected there.
    """
    direct = httpx.AsyncHTTPTransport(limits=_CONNECTIONS, retries=_RETRIES)
    if not url.startswith(SCHEME):
        return url, direct
    return url.removeprefix(SCHEME), RunPodTransport(direct, measures(), index)


def _client(url: str, key: str, timeout_seconds: float, transport: Transport) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=url,
        headers={"authorization": f"Bearer {key}"} if key else {},
        timeout=httpx.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
        transport=transport or httpx.AsyncHTTPTransport(limits=_CONNECTIONS, retries=_RETRIES),
        follow_redirects=False,
        event_hooks={"request": [_belonging]},
    )


async def _belonging(request: httpx.Request) -> None:
    """Tells a service which request and trace its work is part of."""
    request.headers.update(outgoing_headers())


def _refused(response: httpx.Response) -> str:
    advice = f"; {KEY_ADVICE}" if response.status_code in KEY_REFUSED else ""
    return f"answered {response.status_code}{advice}"


def _parsed(shape: type[Parsed], response: httpx.Response) -> Parsed:
    """An answer as its shape has it.

    Raises:
        ValidationError: If it is not.
    """
    return shape.model_validate_json(response.content)


def _named(error: Exception) -> str:
    return type(error).__name__


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
