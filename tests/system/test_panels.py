"""Every panel's query on a real Prometheus that scrapes real services: each gives data, and no metric is made up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from deployment.bundle.format import Bundle
from monitoring.dashboards import all_dashboards
from monitoring.dashboards.panels import Dashboard, Kind, Panel, Query, Source
from monitoring.page.app import Sources, make_app
from monitoring.page.choices import Choices
from monitoring.page.prometheus import Server, as_of_now, over
from monitoring.page.runbooks import RUNBOOKS
from monitoring.page.window import Window
from monitoring.rules.command import groups
from monitoring.rules.model import Record
from monitoring.slo import load_service_levels
from monitoring.tools import ALERTMANAGER, PROMETHEUS, PUSHGATEWAY, find_tool
from tests.helpers.monitored_services import Monitored, monitored

pytestmark = pytest.mark.skipif(
    any(find_tool(name) is None for name in (PROMETHEUS, ALERTMANAGER, PUSHGATEWAY)),
    reason="Prometheus, Alertmanager or Pushgateway is not here; run make monitoring-tools",
)
PATIENCE_SECONDS = 150.0
DASHBOARDS = [dashboard for dashboard in all_dashboards() if dashboard.panels]


@pytest.fixture(scope="module")
def running_services(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    with monitored(bundle.folder, tmp_path_factory.mktemp("monitored")) as started:
        started.push_runs()
        yield started


def silent_queries(monitored_services: Monitored) -> list[str]:
    """Queries without a single value, of all panels that Prometheus answers."""

    async def ask() -> list[str]:
        server = Server("Prometheus", monitored_services.prometheus.url)
        try:
            return [
                f"{panel.id}: {query.expression}"
                for dashboard in DASHBOARDS
                for panel in dashboard.panels
                if panel.source is Source.PROMETHEUS
                for query in panel.queries
                if not await _has_values(server, dashboard, panel, query.expression)
            ]
        finally:
            await server.close()

    return asyncio.run(ask())


async def _has_values(server: Server, dashboard: Dashboard, panel: Panel, expression: str) -> bool:
    window = Window.ending(time.time())
    filled = Choices().filled(expression, dashboard, window.rate_seconds)
    series = await (as_of_now if panel.kind is Kind.STAT else over)(server, filled, window)
    return any(value is not None for one in series for value in one.values)


def test_every_query_of_every_panel_has_data(running_services: Monitored) -> None:
    """Traffic goes on until all have; what is still silent then is named."""
    deadline, silent = time.monotonic() + PATIENCE_SECONDS, ["not asked yet"]
    while silent and time.monotonic() < deadline:
        running_services.ask()
        time.sleep(1.0)
        silent = silent_queries(running_services)
    assert silent == []


def test_canary_and_stable_stand_beside_each_other(running_services: Monitored) -> None:
    async def tracks() -> set[str]:
        server = Server("Prometheus", running_services.prometheus.url)
        (overview,) = [one for one in DASHBOARDS if one.id == "overview"]
        (panel,) = [one for one in overview.panels if one.id == "canary-latency"]
        window = Window.ending(time.time())
        try:
            found = await over(server, Choices().filled(panel.queries[0].expression, overview, 60), window)
            return {one.labels["track"] for one in found if one.labels["endpoint"] == "gateway"}
        finally:
            await server.close()

    assert asyncio.run(tracks()) == {"stable", "canary"}


def test_every_metric_of_panels_and_rules_is_on_a_page_that_prometheus_scrapes(running_services: Monitored) -> None:
    servers = (*running_services.services, running_services.pushgateway, running_services.prometheus,
               running_services.alertmanager)  # fmt: skip
    live = {
        sample.name
        for server in servers
        for family in text_string_to_metric_families(httpx.get(f"{server.url}/metrics").text)
        for sample in family.samples
    }
    rules = [rule for group in groups(load_service_levels()) for rule in group.rules]
    recorded = {rule.name for rule in rules if isinstance(rule, Record)}
    of_panels = {name for dashboard in DASHBOARDS for panel in dashboard.panels for name in panel.metrics}
    of_rules = {name for rule in rules for name in Query(rule.expression, "").metrics}
    assert (of_panels | of_rules) - live - recorded == {"up", "ALERTS"}  # which Prometheus itself makes
    assert len(of_panels & live) > 20
    assert len(of_rules & live) > 15


def test_rules_that_panels_read_have_been_evaluated_without_a_fault(running_services: Monitored) -> None:
    answer = httpx.get(f"{running_services.prometheus.url}/api/v1/rules").json()
    found = [rule for group in answer["data"]["groups"] for rule in group["rules"]]
    assert [rule for rule in found if rule["health"] == "err"] == []
    read = {name for dashboard in DASHBOARDS for panel in dashboard.panels for name in panel.metrics if ":" in name}
    assert read
    assert read <= {rule["name"] for rule in found if rule["health"] == "ok"}


def test_the_page_draws_all_of_it_and_lists_the_alert_that_fires(running_services: Monitored) -> None:
    alertmanager = Server("Alertmanager", running_services.alertmanager.url)
    sources = Sources(Server("Prometheus", running_services.prometheus.url), alertmanager, RUNBOOKS)
    with TestClient(make_app(sources, ("page",)), base_url="http://page") as client:
        for dashboard in DASHBOARDS:
            text = client.get(f"/{dashboard.id}").text
            assert 'class="empty' not in text, dashboard.id
            assert "<strong>PipelineFailed</strong>" in text
            assert 'href="/pipeline#pipeline-outcome"' in text
            assert text.count('<path d="M') > 5


def test_a_silence_is_told_on_the_page(running_services: Monitored) -> None:
    url = running_services.alertmanager.url
    matcher = {"name": "alertname", "value": "PipelineFailed", "isRegex": False}
    times = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2100-01-01T00:00:00Z"}
    silence = {"matchers": [matcher], **times, "createdBy": "test", "comment": "known"}
    httpx.post(f"{url}/api/v2/silences", json=silence).raise_for_status()
    deadline, text = time.monotonic() + PATIENCE_SECONDS, ""
    while "quieted" not in text and time.monotonic() < deadline:
        time.sleep(0.5)
        sources = Sources(Server("Prometheus", running_services.prometheus.url), Server("Alertmanager", url), RUNBOOKS)
        with TestClient(make_app(sources, ("page",)), base_url="http://page") as client:
            text = client.get("/pipeline").text
    assert "silenced" in text
