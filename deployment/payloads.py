"""What clients send, for HTTP and jobs alike; limits and examples stand here and nowhere else."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

MAX_TEXT_CHARACTERS = 20_000
MAX_TEXTS = 512
MAX_DOCUMENTS = 512
MAX_TOP_K = 100

QUESTION = "Người lao động được nghỉ phép năm bao nhiêu ngày?"
LAW = "Người lao động làm việc đủ 12 tháng cho một người sử dụng lao động thì được nghỉ hằng năm, hưởng nguyên lương."
OTHER_LAW = "Cá nhân có quyền xác lập giao dịch dân sự theo quy định của Bộ luật này."

Text = Annotated[
    str,
    # one letter or digit at least: what is left of other texts after cleaning says nothing
    StringConstraints(min_length=1, max_length=MAX_TEXT_CHARACTERS, pattern="[0-9A-Za-zÀ-ỹ]"),
]
InputType = Annotated[
    Literal["query", "passage"],
    Field(description="Questions and pieces of law are read differently by the encoder."),
]


def _whole(value: Any) -> Any:  # noqa: ANN401 - whatever the client sent
    """JSON Schema's integer: 3 and 3.0, but not "3" or true."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_WHOLE = BeforeValidator(_whole)
TopK = Annotated[int, Field(strict=True, ge=1, le=MAX_TOP_K, description="Articles at most."), _WHOLE]
TopN = Annotated[int, Field(strict=True, ge=1, le=MAX_DOCUMENTS, description="Documents at most."), _WHOLE]


Name = Annotated[str, StringConstraints(max_length=256)]
Identifier = Name | Annotated[int, Field(strict=True, ge=-(2**53), le=2**53), _WHOLE]


class Payload(BaseModel):
    """Base of everything a client sends: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Embed(Payload):
    """One text to one vector."""

    action: Literal["embed"]
    text: Text
    input_type: InputType = "query"


class BatchEmbed(Payload):
    """Several texts to as many vectors."""

    action: Literal["batch_embed"]
    texts: Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)]
    input_type: InputType = "query"


class Search(Payload):
    """A question to articles, by the first stage."""

    action: Literal["search"]
    question: Text
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
    query: Text
    documents: Annotated[list[DocumentIn], Field(min_length=1, max_length=MAX_DOCUMENTS)]
    top_n: TopN | None = None


class ScorePair(Payload):
    """One question and one document."""

    action: Literal["score_pair"]
    query: Text
    document: Text


class PairIn(Payload):
    """A question and a document."""

    query: Text
    document: Text


class BatchScore(Payload):
    """Several pairs."""

    action: Literal["batch_score"]
    pairs: Annotated[list[PairIn], Field(min_length=1, max_length=MAX_DOCUMENTS)]


CrossEncoderPayload = Annotated[Rerank | ScorePair | BatchScore, Field(discriminator="action")]


class EmbeddingsIn(Payload):
    """OpenAI's embeddings request; ``input_type`` is ours, as in other APIs of this shape."""

    input: Text | Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)]
    model: Name = Field("", description="Any name; one model is served.")
    encoding_format: Literal["float", "base64"] = "float"
    user: Name = ""
    input_type: InputType = "query"


class RerankIn(Payload):
    """Cohere's and Jina's rerank request."""

    query: Text
    documents: Annotated[list[Text | DocumentIn], Field(min_length=1, max_length=MAX_DOCUMENTS)]
    model: Name = Field("", description="Any name; one model is served.")
    top_n: TopN | None = None
    return_documents: Annotated[bool, Field(strict=True)] = False


def texts_of(payload: Payload) -> list[str]:
    """What a client asks, of any payload: its questions, or the texts to be embedded; documents are left out."""
    if isinstance(payload, BatchScore):
        return [pair.query for pair in payload.pairs]
    if isinstance(payload, BatchEmbed):
        return payload.texts
    if isinstance(payload, EmbeddingsIn):
        return [payload.input] if isinstance(payload.input, str) else payload.input
    asked = (getattr(payload, name, "") for name in ("text", "question", "query"))
    return [text for text in asked if text]
