"""What clients send to the project's own actions, for HTTP and jobs alike, and the texts of its examples."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from deployment.api.field_types import (
    MAX_DOCUMENTS,
    MAX_TEXT_CHARACTERS,
    MAX_TEXTS,
    Identifier,
    Payload,
    ReadableText,
    Text,
    TopK,
    TopN,
)

QUESTION = "Người lao động được nghỉ phép năm bao nhiêu ngày?"
LAW = "Người lao động làm việc đủ 12 tháng cho một người sử dụng lao động thì được nghỉ hằng năm, hưởng nguyên lương."
OTHER_LAW = "Cá nhân có quyền xác lập giao dịch dân sự theo quy định của Bộ luật này."

InputType = Annotated[
    Literal["query", "passage"],
    Field(description="Questions and pieces of law are read differently by the encoder."),
]


class Embed(Payload):
    """One text to one vector."""

    action: Literal["embed"]
    text: ReadableText
    input_type: InputType = "query"


class BatchEmbed(Payload):
    """Several texts to as many vectors."""

    action: Literal["batch_embed"]
    texts: Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)]
    input_type: InputType = "query"


class Search(Payload):
    """A question to articles, by the first stage."""

    action: Literal["search"]
    question: ReadableText
    top_k: TopK = 10


BiEncoderPayload = Annotated[Embed | BatchEmbed | Search, Field(discriminator="action")]


class DocumentIn(Payload):
    """A document to be scored."""

    text: Text
    id: Identifier | None = None
    title: Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARACTERS)] = Field(
        "", description="Heading, which the reranker reads before the text."
    )
    metadata: dict[str, Any] = Field(default_factory=dict, description="Handed back as it is.")


class Rerank(Payload):
    """Documents to be put in order for a question."""

    action: Literal["rerank"]
    query: ReadableText
    documents: Annotated[list[DocumentIn], Field(min_length=1, max_length=MAX_DOCUMENTS)]
    top_n: TopN | None = None


class ScorePair(Payload):
    """One question and one document."""

    action: Literal["score_pair"]
    query: ReadableText
    document: Text


class PairIn(Payload):
    """A question and a document."""

    query: ReadableText
    document: Text


class BatchScore(Payload):
    """Several pairs."""

    action: Literal["batch_score"]
    pairs: Annotated[list[PairIn], Field(min_length=1, max_length=MAX_DOCUMENTS)]


CrossEncoderPayload = Annotated[Rerank | ScorePair | BatchScore, Field(discriminator="action")]


def texts_of(payload: Payload) -> list[str]:
    """What a client asks, of any payload: its questions, or the texts to be embedded; documents are left out."""
    if isinstance(payload, BatchScore):
        return [pair.query for pair in payload.pairs]
    if isinstance(payload, BatchEmbed):
        return payload.texts
    asked = (getattr(payload, name, "") for name in ("text", "question", "query"))
    return [text for text in asked if text]
