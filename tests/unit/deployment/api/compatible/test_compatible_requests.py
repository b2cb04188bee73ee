"""Requests in other people's shapes: null is absent, what changes nothing is ignored, what would is honoured."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, TypeAdapter

from deployment.api.compatible.requests import EmbeddingsIn, RerankDocument, RerankIn
from deployment.api.requests import BatchEmbed, BatchScore, DocumentIn, Embed, Rerank, ScorePair, Search
from deployment.gateway.payloads import SearchIn

Q = "nghỉ phép năm"
SMALLEST = {
    EmbeddingsIn: {"input": Q},
    RerankIn: {"query": Q, "documents": [Q]},
    Embed: {"action": "embed", "text": Q},
    BatchEmbed: {"action": "batch_embed", "texts": [Q]},
    Search: {"action": "search", "question": Q},
    Rerank: {"action": "rerank", "query": Q, "documents": [{"text": Q}]},
    ScorePair: {"action": "score_pair", "query": Q, "document": Q},
    BatchScore: {"action": "batch_score", "pairs": [{"query": Q, "document": Q}]},
    DocumentIn: {"text": Q},
    SearchIn: {"question": Q},
}
OPTIONAL = [(kind, name) for kind in SMALLEST for name, field in kind.model_fields.items() if not field.is_required()]
FOREIGN = {  # what clients of OpenAI, Cohere, Jina, Voyage, vLLM, TEI and LiteLLM send besides
    "user": "u-1", "priority": 3, "max_tokens_per_doc": 4096, "max_chunks_per_doc": 10, "truncate": True,
    "truncation": True, "embedding_types": None, "request_id": "r", "return_text": False, "modality": "text",
    "metadata": {"a": 1}, "extra_headers": None, "timeout": 5,
}  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), OPTIONAL, ids=lambda one: getattr(one, "__name__", one))
def test_null_is_as_good_as_absent_in_every_optional_field(kind: type[BaseModel], name: str) -> None:
    assert kind.model_validate({**SMALLEST[kind], name: None}) == kind.model_validate(SMALLEST[kind])


@pytest.mark.parametrize("kind", SMALLEST, ids=lambda kind: kind.__name__)
def test_the_openapi_schema_says_that_null_is_taken(kind: type[BaseModel]) -> None:
    schema = TypeAdapter(kind).json_schema()
    for name, field in kind.model_fields.items():
        if not field.is_required() and name in schema["properties"]:
            assert {"type": "null"} in schema["properties"][name]["anyOf"]


@pytest.mark.parametrize("kind", [EmbeddingsIn, RerankIn])
def test_fields_that_change_nothing_are_ignored(kind: type[BaseModel]) -> None:
    plain = kind.model_validate(SMALLEST[kind])
    read = kind.model_validate({**SMALLEST[kind], **FOREIGN})
    ours = [name for name in kind.model_fields if name not in FOREIGN]
    assert [getattr(read, name) for name in ours] == [getattr(plain, name) for name in ours]


def embeddings(**more: object) -> EmbeddingsIn:
    return EmbeddingsIn.model_validate({"input": Q, **more})


def rerank(**more: object) -> RerankIn:
    return RerankIn.model_validate({"query": Q, "documents": [Q], **more})


@pytest.mark.parametrize("name", ["passage", "document", "search_document", "retrieval.passage"])
def test_every_name_of_a_passage_is_one(name: str) -> None:
    assert embeddings(input_type=name).kind == "passage"


def test_what_is_not_called_a_passage_is_read_as_a_question() -> None:
    assert [embeddings(input_type=name).kind for name in (None, "query", "search_query", "retrieval.query")] == (
        ["query"] * 4
    )
    assert embeddings(task="retrieval.passage").kind == "passage"  # Jina's
    assert embeddings(task="text-matching").kind == "query"


def test_texts_are_taken_alone_in_lists_and_as_jina_writes_them() -> None:
    assert embeddings().texts == [Q]
    assert embeddings(input=[Q, {"text": "luật"}]).texts == [Q, "luật"]


@pytest.mark.parametrize("text", [" ", "\n", "---", "…", "👍", "第三条", "연차", "№", "\u200b"])
def test_any_text_but_the_empty_one_is_taken_among_others(text: str) -> None:
    assert embeddings(input=[Q, text]).texts == [Q, text]
    assert rerank(documents=[Q, text, {"text": text}]).documents[1] == text


@pytest.mark.parametrize(
    ("more", "packed"),
    [({}, False), ({"encoding_format": "base64"}, True), ({"embedding_type": "base64"}, True),
     ({"embedding_type": ["base64"]}, True), ({"embedding_type": ["float"]}, False),
     ({"output_dtype": "float"}, False)],
)  # fmt: skip
def test_every_name_of_the_format_is_honoured(more: dict[str, object], packed: bool) -> None:
    assert embeddings(**more).packed is packed


@pytest.mark.parametrize(
    ("more", "cut"),
    [({}, True), ({"truncate": True}, True), ({"truncate": "END"}, True), ({"truncation_direction": "Right"}, True),
     ({"truncate": False}, False), ({"truncation": False}, False), ({"truncate": "NONE"}, False),
     ({"truncate": "START"}, False), ({"truncation_direction": "Left"}, False)],
)  # fmt: skip
def test_a_client_that_forbids_cutting_at_the_end_is_understood(more: dict[str, object], cut: bool) -> None:
    assert embeddings(**more).cut is cut
    assert rerank(**more).cut is cut


def test_voyages_top_k_is_top_n() -> None:
    assert (rerank().most, rerank(top_n=2).most, rerank(top_k=3).most, rerank(top_n=2, top_k=3).most) == (None, 2, 3, 2)
    assert rerank(top_n=5_000).most == 5_000  # more than there are is all of them


def test_a_document_keeps_what_its_owner_sent() -> None:
    sent = {"text": Q, "source": "luật", "page": 3, "title": None, "tags": {"a": [None]}}
    (document,) = rerank(documents=[sent]).documents
    assert isinstance(document, RerankDocument)
    assert document.model_dump(exclude_unset=True) == sent


def test_rank_fields_choose_whether_the_title_is_read() -> None:
    documents = [{"title": "Điều 1", "text": Q}]
    for fields, read in ((None, ("Điều 1", Q)), (["title", "text"], ("Điều 1", Q)), (["text"], Q), ([], ("Điều 1", Q))):
        payload = rerank(documents=documents, rank_fields=fields)
        assert payload.read(payload.documents[0]) == read
    assert rerank(rank_fields=["author"]).documents == [Q]  # of plain texts it says nothing
