"""What the gateway is asked and what it answers, with examples."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from deployment.api.field_types import READABLE, Payload, TopK
from deployment.api.requests import QUESTION
from deployment.api.responses import FirstStageOut
from deployment.errors import Fallback

MAX_QUESTION_CHARACTERS = 2_000
Question = Annotated[str, StringConstraints(min_length=1, max_length=MAX_QUESTION_CHARACTERS), READABLE]

Mark = tuple[int, int]
"""Start and end of words that match the question, in characters (Unicode code points)."""


class SearchIn(Payload):
    """A question."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"question": QUESTION, "top_k": 10, "rerank": True}]})

    question: Question
    top_k: TopK = 10
    rerank: Annotated[bool, Field(strict=True, description="Whether the first ones are read by the reranker.")] = True


class ComponentsOut(FirstStageOut):
    """Why an article ranks where it does."""

    reranker: float | None = Field(description="The reranker's probability; null where it did not read the article.")


class HeadOut(BaseModel):
    """An article's place in the law."""

    cid: str
    heading: str = Field(description="Such as Điều 113; empty where ids have no article numbers.")
    title: str
    law: str
    law_number: str
    path: list[str] = Field(description="Phần, chương, mục above it, outermost first.")


class HitOut(HeadOut):
    """An article that was found."""

    rank: int
    score: float
    title_marks: list[Mark]
    snippet: str
    snippet_marks: list[Mark] = Field(description="Where the snippet has the question's words, in characters.")
    components: ComponentsOut


class WeightsOut(BaseModel):
    """Shares of the components: BM25 and vectors make the first stage, the reranker has its share of the whole."""

    bm25: float
    dense: float
    reranker: float


class TimingsOut(BaseModel):
    """Where the time went, in milliseconds."""

    first_stage: float
    rerank: float
    total: float


class SearchOut(BaseModel):
    """Articles, best first."""

    question: str = Field(description="As it was read, cleaned.")
    results: list[HitOut]
    reranked: bool
    fallback_reason: Fallback | None = Field(description="Why not, where reranking was asked for.")
    weights: WeightsOut
    model_version: str
    index_version: str
    timings_ms: TimingsOut


class LineOut(BaseModel):
    """A khoản, a điểm or another line of an article."""

    kind: Literal["clause", "point", "line"]
    label: str
    text: str
    marks: list[Mark]


class NeighbourOut(BaseModel):
    """The article before or after."""

    cid: str
    heading: str
    title: str


class ArticleOut(HeadOut):
    """A whole article."""

    title_marks: list[Mark]
    lines: list[LineOut]
    previous: NeighbourOut | None
    next: NeighbourOut | None


class LawOut(BaseModel):
    """A law that is searched."""

    name: str
    articles: int


class LawsOut(BaseModel):
    """Everything that is searched."""

    laws: list[LawOut]
    articles: int
