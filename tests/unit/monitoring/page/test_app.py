"""The page as a server: what it lets in, what it says when Prometheus is away, and that it stays up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from monitoring.dashboards import all_dashboards, panel_ids
from monitoring.page.app import Sources, make_app
from monitoring.page.prometheus import Server
from tests.helpers.prometheus_answers import Answer, Answers, result, rules

NOW = 1_700_000_010.0
PAGES = [f"/{dashboard.id}" for dashboard in all_dashboards()]
FIRING = {
    "state": "firing",
    "activeAt": "2026-12-01T03:41:48.123456789Z",
    "labels": {"alertname": "LatencyHigh", "severity": "page", "endpoint": "gateway"},
    "annotations": {
        "summary": "gateway is <slow>",
        "panel_url": "https://elsewhere.example/overview#latency",
        "runbook_url": "https://elsewhere.example/runbooks#LatencyHigh",
    },
}


def quiet(path: str, _: Mapping[str, str]) -> httpx.Response:
    """Of a Prometheus that knows nothing yet."""
    return rules() if path.endswith("/rules") else result()


def away(_: str, __: Mapping[str, str]) -> httpx.Response:
    raise httpx.ConnectError("Connection refused")


def client(answers: Answers, runbooks: Path = Path("none.md"), alertmanager: Server | None = None) -> TestClient:
    app = make_app(Sources(answers.server(), alertmanager, runbooks), ("page",), lambda: NOW)
    return TestClient(app, base_url="http://page")


def page(answer: Answer, address: str = "/overview", alertmanager: Server | None = None) -> str:
    found = client(Answers(answer), alertmanager=alertmanager).get(address)
    assert found.status_code == 200
    return found.text


@pytest.mark.parametrize("address", PAGES)
def test_every_panel_that_prometheus_answers_has_its_place(address: str) -> None:
    text = page(quiet, address)
    ids = set(re.findall(r'<section class="panel[^"]*" id="([^"]+)"', text))
    assert ids == {panel for panel, of in panel_ids().items() if f"/{of}" == address and not panel.startswith("logs")}
    assert text.count('class="empty"') == len(ids)


@pytest.mark.parametrize("address", [*PAGES, "/runbooks", "/nowhere", "/overview?range=2h", "/static/style.css"])
def test_every_answer_has_a_policy_that_lets_nothing_else_in(address: str) -> None:
    found = client(Answers(quiet)).get(address)
    policy = found.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert found.headers["x-content-type-options"] == "nosniff"
    if "html" in found.headers["content-type"]:
        assert not re.search(r"\sstyle=|\son\w+=|<style", found.text)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', found.text)


def test_the_first_page_is_the_overview_with_what_was_chosen() -> None:
    found = client(Answers(quiet)).get("/?range=15m", follow_redirects=False)
    assert found.headers["location"] == "/overview?range=15m"


def test_a_page_asked_under_another_name_is_refused() -> None:
    assert client(Answers(quiet)).get("/overview", headers={"host": "rebound.example"}).status_code == 400


def test_nothing_that_a_client_sends_becomes_an_expression() -> None:
    plain, tried = Answers(quiet), Answers(quiet)
    client(plain).get("/bi-encoder")
    sent = {"query": "up", "expr": "up", "match[]": "up", "start": "0", "__range": "9d", "endpoint": "x"}
    assert client(tried).get("/bi-encoder", params=sent).status_code == 200
    assert sorted(map(repr, tried.asked)) == sorted(map(repr, plain.asked))
    refused = client(tried).get("/bi-encoder", params={"track": '"} or vector(1) or x{a="'})
    assert refused.status_code == 400
    assert "track: got" in refused.text
    assert len(tried.asked) == len(plain.asked)


def test_a_choice_reaches_prometheus_as_a_value() -> None:
    answers = Answers(quiet)
    client(answers).get("/bi-encoder?track=canary&range=6h")
    queries = [given["query"] for path, given in answers.asked if path.endswith("query_range")]
    assert queries
    assert all('track=~"canary"' in query for query in queries)
    assert all("$" not in query for query in queries)
    assert {given["step"] for path, given in answers.asked if path.endswith("query_range")} == {"180.0"}


def test_while_prometheus_is_away_the_page_says_so_asks_little_and_comes_back() -> None:
    answers = Answers(away)
    asking = client(answers)
    text = asking.get("/overview").text
    assert "Prometheus at http://there:9090 does not answer (Connection refused)" in text
    assert "No alert fires" not in text
    assert text.count("This cannot be told now") == 16
    assert len(answers.asked) == 1
    assert asking.get("/health").status_code == 200
    answers.answer = quiet
    assert "does not answer" not in asking.get("/overview").text


def test_a_firing_alert_leads_to_its_panel_and_runbook_on_this_page() -> None:
    def answer(path: str, given: Mapping[str, str]) -> httpx.Response:
        return rules(FIRING, {**FIRING, "state": "pending"}) if path.endswith("/rules") else quiet(path, given)

    text = page(answer)
    assert "<strong>LatencyHigh</strong>" in text
    assert "gateway is &lt;slow&gt;" in text
    assert 'href="/overview#latency"' in text
    assert 'href="/runbooks#LatencyHigh"' in text
    assert "elsewhere.example" not in text
    assert "No alert fires" not in text


def test_an_address_in_an_alert_that_leads_to_no_panel_is_left_out() -> None:
    notes = {"panel_url": "javascript:alert(1)#x", "runbook_url": "http://a/b#<script>"}

    def answer(path: str, given: Mapping[str, str]) -> httpx.Response:
        return rules({**FIRING, "annotations": notes}) if path.endswith("/rules") else quiet(path, given)

    text = page(answer)
    assert "javascript" not in text
    assert "&lt;script&gt;" not in text


def test_no_alert_is_told_apart_from_no_rules() -> None:
    assert "No alert fires, of 1 rules." in page(quiet)
    text = page(lambda path, given: rules(count=0) if path.endswith("/rules") else quiet(path, given))
    assert "Prometheus has no alert rules" in text


def test_a_silenced_alert_says_that_nobody_is_told() -> None:
    status = {"silencedBy": ["abc"], "inhibitedBy": []}
    told = httpx.Response(200, json=[{"labels": FIRING["labels"], "status": status}])

    def answer(path: str, given: Mapping[str, str]) -> httpx.Response:
        return rules(FIRING) if path.endswith("/rules") else quiet(path, given)

    assert "silenced" in page(answer, alertmanager=Answers(lambda path, given: told).server("Alertmanager"))
    lost = page(answer, alertmanager=Answers(away).server("Alertmanager"))
    assert "alerts reach nobody while it is away" in lost
    assert "<strong>LatencyHigh</strong>" in lost


def test_runbooks_that_are_not_there_are_named(tmp_path: Path) -> None:
    found = client(Answers(quiet), tmp_path / "runbooks.md").get("/runbooks")
    assert found.status_code == 404
    assert "name their file with --runbooks" in found.text


def test_files_are_kept_and_asked_for_again() -> None:
    asking = client(Answers(quiet))
    first = asking.get("/static/page.js")
    assert first.headers["content-type"].startswith("text/javascript")
    assert asking.get("/static/page.js", headers={"if-none-match": first.headers["etag"]}).status_code == 304
    assert asking.get("/static/nothing.js").status_code == 404


def test_a_panel_shows_its_queries_as_they_were_asked() -> None:
    answers = Answers(quiet)
    text = unescape(client(answers).get("/bi-encoder?track=canary").text)
    asked = [given["query"] for path, given in answers.asked if path.endswith("query_range")]
    shown = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", text, re.DOTALL)
    assert sorted(shown) == sorted(asked)
