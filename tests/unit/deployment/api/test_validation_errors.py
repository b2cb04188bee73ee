"""What a client is told of a payload that is not taken: the place, what is there, what to send."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from deployment.api.compatible.requests import EmbeddingsIn, RerankIn
from deployment.api.requests import BiEncoderPayload, CrossEncoderPayload
from deployment.api.validation_errors import validated
from deployment.errors import InvalidInput
from deployment.gateway.payloads import SearchIn

Q = "nghỉ phép năm"
BI, CROSS = TypeAdapter[Any](BiEncoderPayload), TypeAdapter[Any](CrossEncoderPayload)
OPENAI, COHERE, GATEWAY = TypeAdapter(EmbeddingsIn), TypeAdapter(RerankIn), TypeAdapter(SearchIn)
IDS = "input holds token ids, which are not taken; send text (in LangChain: check_embedding_ctx_length=False)"


def told(adapter: TypeAdapter[Any], payload: object) -> str:
    with pytest.raises(InvalidInput) as refused:
        validated(adapter, payload)
    return str(refused.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[9906, 1917], [15339]], IDS),
        ([9906, 1917], IDS),
        ([[1]], IDS),
        ("", "input is empty; send text"),
        ([Q, "", Q], "input.1 is empty; send text, or leave it out"),
        ([Q, 5], "input.1 is a number; send text"),
        ([Q, None], "input.1 is null; send text"),
        ([Q, ["a"]], "input.1 is a list; send text"),
        ([Q, [1, 2]], "input.1 is a list; send text"),
        ([Q, {"image": "data:"}], "input.1.text is missing (there is image); add it"),
        ([True], "input.0 is true or false; send text"),
        ([], "input is an empty list; send at least one"),
        ([Q] * 2049, "input has 2049 items, at most 2048 are taken at once; send them in several requests"),
        ([Q, "a" * 20_001], "input.1 has 20001 characters, at most 20000 are taken; cut it or split it"),
        (7, "input is a number; send text or a list of texts"),
        (None, "input is null; send text or a list of texts"),
        ({"text": Q}, "input is an object; send text or a list of texts"),
        ([Q, "", 5, *[None] * 5], "input.1 is empty; send text, or leave it out (wrong too: input.2, input.3, input.4,"
                                  " input.5, input.6, and others)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_input_is_told_of_the_item_and_of_the_branch_that_fits(given, message):
    assert told(OPENAI, {"input": given}) == message


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"encoding_format": "hex"}, "encoding_format is 'hex'; send 'float' or 'base64'"),
        ({"embedding_type": "binary"}, "embedding_type is 'binary'; send 'float' or 'base64'"),
        ({"embedding_type": ["float", "int8"]}, "embedding_type is a list; send 'float' or 'base64'"),
        ({"output_dtype": "int8"}, "output_dtype is 'int8'; send 'float' or 'base64'"),
        ({"dimensions": "384"}, "dimensions is text; send a whole number"),
        ({"dimensions": 0}, "dimensions is 0; send 1 or more"),
        ({"dimension": 5}, "the body has dimension, which is not known; did you mean dimensions?"),
        ({"inputtype": "passage"}, "the body has inputtype, which is not known; did you mean input_type?"),
        ({"input_type": "clustering"}, "input_type is 'clustering'; send 'query', 'passage', 'document',"
                                       " 'search_query', 'search_document', 'retrieval.query' or 'retrieval.passage'"),
        ({"late_chunking": True}, "late_chunking is asked for and not done here, each text is read by itself; leave it"
                                  " out"),
        ({"truncate": "middle"}, "truncate is not known; send true to have long texts cut at their end, false to have"
                                 " them refused"),
    ],
)  # fmt: skip
def test_what_would_change_an_embedding_is_refused_by_name(more, message):
    assert told(OPENAI, {"input": Q, **more}) == message


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"documents": [{"content": Q}]}, "documents.0.text is missing (there is content); add it"),
        ({"documents": [Q, {}]}, "documents.1.text is missing; add it"),
        ({"documents": [Q, ""]}, "documents.1 is empty; send text, or leave it out"),
        ({"documents": [{"text": ""}]}, "documents.0.text is empty; send text"),
        ({"documents": [{"text": Q, "title": 5}]}, "documents.0.title is a number; send text"),
        ({"documents": [Q, 3]}, "documents.1 is a number; send text or an object with text"),
        ({"documents": [[Q]]}, "documents.0 is a list; send text or an object with text"),
        ({"documents": Q}, "documents is text; send a list"),
        ({"documents": []}, "documents is an empty list; send at least one"),
        ({"documents": [Q] * 3000}, "documents has 3000 items, at most 2048 are taken at once; send them in several"
                                    " requests"),
        ({"query": "…"}, "query holds no letter or digit; send text that says something"),
        ({"top_n": "3"}, "top_n is text; send a whole number"),
        ({"top_n": 2.5}, "top_n is 2.5; send a whole number"),
        ({"query": ""}, "query is empty; send text"),
        ({"top_n": 0}, "top_n is 0; send 1 or more"),
        ({"topn": 1}, "the body has topn, which is not known; did you mean top_n?"),
        ({"return_documents": "yes"}, "return_documents is text; send true or false"),
        ({"documents": [{"text": Q}], "rank_fields": ["content"]},
         "the body has rank_fields content; text and title are what is read of a document, so send the words to be read"
         " as its text"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_rerank_request_names_the_document_and_its_field(more, message):
    assert told(COHERE, {"query": Q, "documents": [Q], **more}) == message


@pytest.mark.parametrize(
    ("adapter", "payload", "message"),
    [
        (BI, {"action": "dance"}, "the body has 'dance' for action; send one of 'embed', 'batch_embed', 'search'"),
        (BI, {"action": None}, "the body has no action; send one of 'embed', 'batch_embed', 'search'"),
        (BI, {"action": []}, "the body has a list for action; send one of 'embed', 'batch_embed', 'search'"),
        (BI, {"text": Q}, "the body has no action; add one, see /openapi.json for those there are"),
        (BI, {"action": "embed", "text": Q, "a\nb\x1b": 1}, r"a\nb\x1b is not known here; leave it out, or see"
                                                           " /openapi.json for what is taken"),
        (BI, [1], "the body is a list; send an object"),
        (BI, {"action": "embed"}, "text is missing (there is action); add it"),
        (BI, {"action": "embed", "text": "---"}, "text holds no letter or digit; send text that says something"),
        (BI, {"action": "batch_embed", "texts": [Q, 1]}, "texts.1 is a number; send text"),
        (BI, {"action": "search", "question": Q, "top_k": 101}, "top_k is 101; send 100 or less"),
        (BI, {"action": "embed", "text": Q, "colour": 1}, "colour is not known here; leave it out, or see /openapi.json"
                                                          " for what is taken"),
        (CROSS, {"action": "rerank", "query": Q, "documents": [{"text": Q, "id": []}]},
         "documents.0.id is a list; send text or a whole number"),
        (CROSS, {"action": "batch_score", "pairs": [{"query": Q}]}, "pairs.0.document is missing (there is query); add"
                                                                    " it"),
        (GATEWAY, {"question": "？！"}, "question holds no letter or digit; send text that says something"),
        (GATEWAY, {"question": Q, "rerank": 1}, "rerank is a number; send true or false"),
    ],
)  # fmt: skip
def test_own_actions_tell_the_same_way(adapter, payload, message):
    assert told(adapter, payload) == message


def test_a_long_name_of_the_clients_own_is_cut():
    assert len(told(BI, {"action": "embed", "text": Q, "x" * 100_000: 1})) < 500
    assert len(told(OPENAI, {"y" * 100_000: 1})) < 500
