"""The gateway over HTTP: what it answers, what it refuses, and what it never lets through."""

import json
import logging

import pytest

from deployment.gateway.app import make_app
from deployment.settings import read_settings
from retrieval.errors import ConfigError
from tests.helpers.metric_values import scraped
from tests.helpers.tiny_bundle import ARTICLES, QUESTION

KEY = "a-key-of-this-test-0123456789"


def test_a_question_gets_ranked_articles_with_everything_the_page_shows(client):
    answer = client.post("/search", json={"question": QUESTION, "top_k": 3}).json()
    assert answer["reranked"] is True
    assert answer["fallback_reason"] is None
    assert [hit["rank"] for hit in answer["results"]] == [1, 2, 3]
    assert {"cid", "heading", "title", "law", "law_number", "path", "snippet", "components", "score"} <= set(
        answer["results"][0]
    )
    assert set(answer["timings_ms"]) == {"first_stage", "rerank", "total"}
    assert len(answer["index_version"]) == 12


def test_null_is_as_good_as_absent_and_a_question_may_be_in_any_script(client):
    usual = client.post("/search", json={"question": QUESTION}).json()
    given = client.post("/search", json={"question": QUESTION, "top_k": None, "rerank": None}).json()
    assert [hit["cid"] for hit in given["results"]] == [hit["cid"] for hit in usual["results"]]
    assert client.post("/search", json={"question": "第三条 연차"}).status_code == 200


def test_an_article_comes_whole_with_its_neighbours_and_marked_words(client):
    page = client.get("/articles/1/2020/QH14:1", params={"question": "nghỉ hằng năm"}).json()
    assert (page["heading"], page["law"], page["law_number"]) == ("Điều 1", "Bộ luật thử", "1/2020/QH14")
    assert page["previous"] is None
    assert page["next"]["cid"] == "1/2020/QH14:2"
    (line,) = page["lines"]
    assert line["text"] == "Người lao động được nghỉ hằng năm theo quy định."
    assert [line["text"][start:end] for start, end in line["marks"]] == ["nghỉ hằng"]


def test_the_last_article_has_no_next_one(client):
    assert client.get(f"/articles/1/2020/QH14:{ARTICLES}").json()["next"] is None


def test_laws_are_counted(client):
    assert client.get("/laws").json() == {"laws": [{"name": "Bộ luật thử", "articles": ARTICLES}], "articles": ARTICLES}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid_input"),
        (b"\x00\xff random", 400, "malformed"),
        (b"{", 400, "malformed"),
        (b"[" * 100_000, 400, "malformed"),
        (b'{"question": "\\ud800 a"}', 400, "malformed"),
        (b'{"question": NaN}', 400, "malformed"),
        (b'{"question": "a", "top_k": Infinity}', 400, "malformed"),
        (b"{}", 422, "invalid_input"),
        (b'{"question": ""}', 422, "invalid_input"),
        (b'{"question": "   "}', 422, "invalid_input"),
        (b'{"question": "<br>&nbsp;"}', 422, "invalid_input"),
        (b'{"question": ["a"]}', 422, "invalid_input"),
        (b'{"question": "a", "top_k": 0}', 422, "invalid_input"),
        (b'{"question": "a", "top_k": 101}', 422, "invalid_input"),
        (b'{"question": "a", "top_k": "3"}', 422, "invalid_input"),
        (b'{"question": "a", "rerank": "yes"}', 422, "invalid_input"),
        (b'{"question": "a", "other": 1}', 422, "invalid_input"),
        (json.dumps({"question": "a" * 2_001}).encode(), 422, "invalid_input"),
        (json.dumps({"question": "a" * 10_000_000}).encode(), 413, "body_too_large"),
    ],
)
def test_bad_input_is_refused_with_a_code_and_no_trace(client, body, status, code):
    answer = client.post("/search", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "Traceback" not in answer.text
    assert len(answer.text) < 1_000


@pytest.mark.parametrize(
    "path", ["/articles/none", "/articles/..%2f..%2fetc%2fpasswd", "/static/../app.py", "/static/x"]
)
def test_what_is_not_there_is_a_404_and_no_file_of_the_machine(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_markup_in_a_question_comes_back_as_text_in_json(client):
    answer = client.post("/search", json={"question": "<script>alert(1)</script> nghỉ <b>phép</b>"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["question"] == "nghỉ phép"


def test_the_page_is_open_and_searching_needs_a_key_where_keys_are_set(start):
    client = start(api_keys=(KEY,))
    assert client.get("/").status_code == 200
    assert client.get("/static/app.js").status_code == 200
    for path in ("/laws", "/articles/1/2020/QH14:1"):
        assert client.get(path).status_code == 401
    assert client.post("/search", json={"question": QUESTION}).json()["error"]["code"] == "unauthorized"
    answer = client.post("/search", json={"question": QUESTION}, headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200


def test_questions_are_not_logged(client, caplog):
    with caplog.at_level(logging.DEBUG):
        client.post("/search", json={"question": "bí mật của tôi"})
        client.get("/articles/1/2020/QH14:1", params={"question": "bí mật của tôi"})
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("deployment", "retrieval"))]
    assert not [line for line in ours if "bí mật" in line]


def test_searches_are_counted_and_the_page_is_not(client):
    client.get("/")
    client.post("/search", json={"question": QUESTION})
    text = client.get("/metrics").text
    assert scraped(text, "endpoint_requests_total", action="search", status="200") >= 1
    assert scraped(text, "endpoint_requests_total", action="other", status="200") == 0


def test_without_services_or_bundle_it_says_what_to_set():
    with pytest.raises(ConfigError, match="RETRIEVER_BUNDLE"):
        make_app(read_settings({}))
    with pytest.raises(ConfigError, match="--in-process"):
        make_app(read_settings({}, bundle="somewhere"))
