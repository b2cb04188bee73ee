"""Requests in the shapes of OpenAI, Cohere, Jina and Voyage: what would change an answer is honoured or refused.

All else that such clients send (``user``, ``priority``, ``max_tokens_per_doc`` ...) is ignored. Fields that only some
of them know are read and left out of the OpenAPI document.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from deployment.api.field_types import (
    HIDDEN,
    LIST,
    MAX_DOCUMENTS,
    MAX_TEXT_CHARACTERS,
    MAX_TEXTS,
    OBJECT,
    TEXT,
    WHOLE,
    Name,
    Payload,
    ReadableText,
    Text,
    TopN,
    by_json_type,
    wrong,
)

_ALIKE = 0.85  # of names: topn and top_n, but not user and query
_MOST_UNKNOWN = 50  # names, and letters of each, that are looked at for misspellings
_PASSAGES = frozenset({"passage", "document", "search_document", "retrieval.passage"})
_CUT_AT_END = {"end": True, "right": True, "none": False, "start": False, "left": False}


def _cut(value: Any) -> Any:  # noqa: ANN401 - whatever the client sent
    """Whether a long text may lose its end: a boolean, or a side as NVIDIA, Cohere and TEI name it."""
    if value is None or isinstance(value, bool):
        return value
    known = _CUT_AT_END.get(value.lower()) if isinstance(value, str) else None
    if known is None:
        raise wrong("is not known; send true to have long texts cut at their end, false to have them refused")
    return known


def _format(value: Any) -> Any:  # noqa: ANN401 - whatever the client sent
    """Jina takes a list of formats; of one it means that one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _not_token_ids(value: Any) -> Any:  # noqa: ANN401 - whatever the client sent
    """Refuses what LangChain and OpenAI's own examples send beside text: token ids of another model's tokenizer."""
    if isinstance(value, list) and value and all(_is_ids(one) for one in value):
        raise wrong("holds token ids, which are not taken; send text (in LangChain: check_embedding_ctx_length=False)")
    return value


def _is_ids(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(type(one) is int for one in value)
    return type(value) is int


def _not_done(value: Any) -> Any:  # noqa: ANN401 - whatever the client sent
    if value:
        raise wrong("is asked for and not done here, each text is read by itself; leave it out")
    return value


Format = Literal["float", "base64"]
_Format = Annotated[Format | None, BeforeValidator(_format), Field(json_schema_extra=HIDDEN)]
_Cut = Annotated[bool | None, BeforeValidator(_cut), Field(json_schema_extra=HIDDEN)]
_Flag = Annotated[bool | None, Field(strict=True, json_schema_extra=HIDDEN)]
Dimensions = Annotated[int, Field(strict=True, ge=1), WHOLE]


class Compatible(Payload):
    """Base of requests in other people's shapes: unknown keys are ignored, unless a known one was misspelt."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: Name = Field("", description="Any name; one model is served.")
    truncate: _Cut = None
    truncation: _Cut = None
    truncation_direction: _Cut = None

    @model_validator(mode="before")
    @classmethod
    def _spelling(cls, values: Any) -> Any:  # noqa: ANN401 - whatever the client sent
        if not isinstance(values, Mapping):
            return values
        unknown = [name for name, value in values.items() if value is not None and name not in cls.model_fields]
        for name in unknown[:_MOST_UNKNOWN]:
            alike = difflib.get_close_matches(str(name)[:_MOST_UNKNOWN].lower(), cls.model_fields, 1, _ALIKE)
            if alike and alike[0] not in values:
                raise wrong("has {name}, which is not known; did you mean {meant}?", name=name, meant=alike[0])
        return values

    @property
    def cut(self) -> bool:
        """Whether a text that is too long loses its end; otherwise it is refused."""
        return False not in {self.truncate, self.truncation, self.truncation_direction}


class TextPart(Payload):
    """Jina's way to write a text among others."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    text: Text


_Item = Annotated[Annotated[Text, TEXT] | Annotated[TextPart, OBJECT], by_json_type("text")]
_Items = Annotated[list[_Item], Field(min_length=1, max_length=MAX_TEXTS), LIST]


class EmbeddingsIn(Compatible):
    """OpenAI's embeddings request; ``input_type`` tells questions from law, as in other APIs of this shape."""

    input: Annotated[
        Annotated[Text, TEXT] | _Items, by_json_type("text or a list of texts"), BeforeValidator(_not_token_ids)
    ]
    encoding_format: Annotated[Format, BeforeValidator(_format)] = "float"
    dimensions: Dimensions | None = Field(None, description="Numbers in a vector: the model's own size or nothing.")
    input_type: Literal[
        "query", "passage", "document", "search_query", "search_document", "retrieval.query", "retrieval.passage"
    ] = Field("query", description="Questions and pieces of law are read differently by the encoder.")
    output_dimension: Dimensions | None = Field(None, json_schema_extra=HIDDEN)
    embedding_type: _Format = None
    output_dtype: _Format = None
    task: Annotated[str | None, Field(json_schema_extra=HIDDEN)] = None
    normalize: _Flag = None
    normalized: _Flag = None
    late_chunking: Annotated[bool | None, BeforeValidator(_not_done), Field(json_schema_extra=HIDDEN)] = None

    @property
    def texts(self) -> list[str]:
        """What is to be embedded, in order."""
        if isinstance(self.input, str):
            return [self.input]
        return [one if isinstance(one, str) else one.text for one in self.input]

    @property
    def kind(self) -> Literal["query", "passage"]:
        """How the encoder is to read it; Jina says so in ``task``, of which other values mean nothing here."""
        return "passage" if _PASSAGES & {self.input_type, self.task} else "query"

    @property
    def packed(self) -> bool:
        """Whether vectors are wanted in base64."""
        return "base64" in {self.encoding_format, self.embedding_type, self.output_dtype}

    @property
    def unit_length(self) -> bool:
        """Whether vectors of length 1 are asked for by name."""
        return bool(self.normalize or self.normalized)


class RerankDocument(Payload):
    """A document with whatever its owner keeps beside the text, which is handed back as it is."""

    model_config = ConfigDict(extra="allow", frozen=True)

    text: Text
    title: Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARACTERS)] | None = Field(
        None, description="Heading, which the reranker reads before the text."
    )


_Document = Annotated[
    Annotated[Text, TEXT] | Annotated[RerankDocument, OBJECT], by_json_type("text or an object with text")
]


class RerankIn(Compatible):
    """Cohere's and Jina's rerank request, of Cohere's first and second version alike."""

    query: ReadableText
    documents: Annotated[list[_Document], Field(min_length=1, max_length=MAX_DOCUMENTS)]
    top_n: TopN | None = None
    return_documents: Annotated[bool, Field(strict=True)] = False
    top_k: Annotated[TopN | None, Field(json_schema_extra=HIDDEN)] = None
    rank_fields: Annotated[list[str] | None, Field(json_schema_extra=HIDDEN)] = None
    raw_scores: _Flag = None

    @model_validator(mode="after")
    def _fields_that_are_read(self) -> RerankIn:
        """Cohere's ``rank_fields`` may choose among what is read here, and nothing else."""
        fields = set(self.rank_fields or ())
        if fields and any(isinstance(one, RerankDocument) for one in self.documents):
            others = ", ".join(sorted(fields - {"title", "text"}))
            if others or "text" not in fields:
                raise wrong(
                    "has rank_fields {fields}; text and title are what is read of a document, so send the words to be"
                    " read as its text",
                    fields=others or "without text",
                )
        return self

    @property
    def most(self) -> int | None:
        """Results wanted; None for all. Voyage calls it ``top_k``."""
        return self.top_n or self.top_k

    def read(self, document: str | RerankDocument) -> str | tuple[str, str]:
        """A document as the reranker reads it: its text, or its title and its text."""
        if isinstance(document, str):
            return document
        titled = document.title and (not self.rank_fields or "title" in self.rank_fields)
        return (document.title or "", document.text) if titled else document.text
