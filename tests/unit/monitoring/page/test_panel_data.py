"""What panels have to draw, and honest reasons where there is nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from monitoring.dashboards import all_dashboards
from monitoring.dashboards.panels import Dashboard
from monitoring.page.choices import Choices
from monitoring.page.panel_data import MOST_LINES, PanelData, data_of
from monitoring.page.window import Window
from tests.helpers.prometheus_answers import Answer, Answers, result

WINDOW = Window.ending(1_700_000_010.0)


def dashboard(name: str) -> Dashboard:
    return next(one for one in all_dashboards() if one.id == name)


def found(name: str, answer: Answer) -> dict[str, PanelData]:
    async def ask() -> dict[str, PanelData]:
        server = Answers(answer).server()
        try:
            return await data_of(dashboard(name), Choices(), WINDOW, server)
        finally:
            await server.close()

    return asyncio.run(ask())


def test_without_series_the_reason_names_metrics_that_prometheus_has_not() -> None:
    def answer(_: str, given: Mapping[str, str]) -> httpx.Response:
        if given["query"].startswith("count by (__name__)"):
            return result({"metric": {"__name__": "pipeline_run_success"}, "value": [0, "1"]})
        return result()

    data = found("pipeline", answer)
    assert data["pipeline-outcome"].reason == "No run has told the Pushgateway of itself yet."
    assert data["pipeline-gates"].reason == (
        "No gate has told the Pushgateway of itself yet. Prometheus has no pipeline_gate_passed in this time."
    )
    assert not data["pipeline-gates"].failed


def test_values_that_are_no_numbers_are_no_data() -> None:
    def answer(path: str, given: Mapping[str, str]) -> httpx.Response:
        value = [WINDOW.end, "NaN"]
        return result({"metric": {"pipeline": "a"}, **({"values": [value]} if "range" in path else {"value": value})})

    assert all(not one.lines and one.reason for one in found("pipeline", answer).values())


def test_a_query_that_is_refused_says_why_and_leaves_the_others() -> None:
    def answer(_: str, given: Mapping[str, str]) -> httpx.Response:
        if "pipeline_run_success" in given["query"]:
            return httpx.Response(
                422, json={"status": "error", "error": "query processing would load too many samples"}
            )
        return result({"metric": {"pipeline": "a"}, "values": [[WINDOW.end, "2"]], "value": [WINDOW.end, "2"]})

    data = found("pipeline", answer)
    assert data["pipeline-outcome"].reason == ("Prometheus answered 422: query processing would load too many samples")
    assert data["pipeline-outcome"].failed
    assert [line.last for line in data["pipeline-duration"].lines] == [2.0]


def test_values_lie_on_the_steps_of_the_window() -> None:
    def answer(_: str, given: Mapping[str, str]) -> httpx.Response:
        values = [[WINDOW.start, "1"], [WINDOW.start + WINDOW.step, "+Inf"], [WINDOW.end, "3"], [WINDOW.end + 999, "4"]]
        return result({"metric": {"pipeline": "a"}, "values": values, "value": [WINDOW.end, "3"]})

    (line,) = found("pipeline", answer)["pipeline-duration"].lines
    assert (line.values[0], line.values[1], line.values[-1]) == (1.0, None, 3.0)
    assert line.known == [1.0, 3.0]


def test_more_series_than_can_be_told_apart_are_counted() -> None:
    def answer(_: str, given: Mapping[str, str]) -> httpx.Response:
        series = [
            {"metric": {"pipeline": f"p{number:02}"}, "values": [[WINDOW.end, "1"]], "value": [0, "1"]}
            for number in range(MOST_LINES + 5)
        ]
        return result(*series)

    data = found("pipeline", answer)["pipeline-duration"]
    assert (len(data.lines), data.left_out) == (MOST_LINES, 5)


def test_legends_take_labels_and_know_the_canary() -> None:
    def answer(_: str, given: Mapping[str, str]) -> httpx.Response:
        metrics = [{"endpoint": "gateway", "track": track} for track in ("stable", "canary")]
        return result(*({"metric": one, "values": [[WINDOW.end, "1"]], "value": [0, "1"]} for one in metrics))

    lines = found("overview", answer)["canary-errors"].lines
    assert [(line.name, line.key, line.canary) for line in lines] == [
        ("gateway canary", "gateway", True),
        ("gateway stable", "gateway", False),
    ]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"data": 3}'])
def test_a_server_that_is_no_prometheus_is_said_to_be_none(body: bytes) -> None:
    data = found("pipeline", lambda path, given: httpx.Response(200, content=body))
    assert all(one.failed and "is it Prometheus?" in one.reason for one in data.values())
