"""Dashboards as data: every panel that alerts may link to, with words, units, limits and metrics that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from monitoring.dashboards import all_dashboards, panel_ids
from monitoring.dashboards.panels import Dashboard, Kind, Panel, Query, Source, Unit
from monitoring.metrics import MetricFamilies
from monitoring.page.choices import Choices
from monitoring.pipeline_pushes.run_metrics import NAMES
from monitoring.rules.command import groups
from monitoring.rules.model import Record
from monitoring.slo import load_service_levels
from monitoring.tools import PROMTOOL, find_tool, tool

MODEL = (
    "requests", "error-rate", "latency", "inference", "batch-size", "queue-depth", "queue-wait", "rejections",
    "cold-starts", "tokens", "truncations", "cost",
)  # fmt: skip
EXPECTED = {
    "overview": {
        "availability", "availability-budget", "latency", "latency-budget", "reranked-share", "reranked-budget",
        "index-age", "requests", "error-rate", "targets-up", "canary-errors", "canary-latency", "cost-rate",
        "cost-per-1k", "cost-budget", "alerts-firing", "logs-errors", "logs-by-service",
    },
    "pipeline": {
        "pipeline-outcome", "pipeline-duration", "pipeline-last-success", "pipeline-evaluation", "pipeline-gates",
        "pipeline-pushes-dropped",
    },
    "bi-encoder": {*(f"bi-encoder-{name}" for name in MODEL), "bi-encoder-dimension"},
    "cross-encoder": {
        *(f"cross-encoder-{name}" for name in MODEL), "cross-encoder-scores", "cross-encoder-score-range",
    },
}  # fmt: skip
DASHBOARDS = all_dashboards()
PANELS = [(dashboard, panel) for dashboard in DASHBOARDS for panel in dashboard.panels]
OWN = {"up", "ALERTS"}
each_panel = pytest.mark.parametrize(("dashboard", "panel"), PANELS, ids=[panel.id for _, panel in PANELS])


def exported() -> set[str]:
    """Names of all series that services have."""
    found = set()
    text = MetricFamilies().render()[0].decode()
    for family in text_string_to_metric_families(text):
        plain = family.name + ("_total" if family.type == "counter" else "")
        found |= {f"{plain}{end}" for end in ("", "_bucket", "_count", "_sum")}
    return found


def test_every_panel_of_the_contract_is_there_once() -> None:
    found = {dashboard.id: [panel.id for panel in dashboard.panels] for dashboard in DASHBOARDS}
    assert {name: set(ids) for name, ids in found.items()} == EXPECTED
    every = [one for ids in found.values() for one in ids]
    assert len(every) == len(set(every)) == len(panel_ids())


def test_every_alert_links_to_a_panel_that_is_there() -> None:
    known = panel_ids()
    for group in groups(load_service_levels()):
        for alert in group.alerts:
            for url in alert.panel.urls("http://page").values():
                dashboard, _, panel = url.removeprefix("http://page/").partition("#")
                assert known.get(panel) == dashboard, f"{alert.name} links to {url}"


@each_panel
def test_a_panel_says_what_it_shows_what_is_normal_and_what_to_do(dashboard: Dashboard, panel: Panel) -> None:
    for text in (panel.shows, panel.normal, panel.action, panel.empty):
        assert text.endswith("."), text
    assert panel.shows[0].isupper()
    assert "Normal: " in panel.description
    assert "If not: " in panel.description
    assert panel.title
    assert panel.width in {6, 8, 12, 24}
    assert (panel.kind is Kind.STATE) == (panel.unit is Unit.STATE) == bool(panel.states[0] and panel.states[1])
    assert all(query.legend for query in panel.queries) or panel.kind is Kind.LOGS


@each_panel
def test_a_query_uses_variables_of_its_dashboard_and_metrics_that_exist(dashboard: Dashboard, panel: Panel) -> None:
    declared = {variable.name for variable in dashboard.variables}
    recorded = {
        rule.name for group in groups(load_service_levels()) for rule in group.rules if isinstance(rule, Record)
    }
    for query in panel.queries:
        used = set(re.findall(r"\$(\w+)", query.expression)) - {"__rate_interval", "__range"}
        assert used <= declared
        if panel.source is Source.PROMETHEUS:
            assert query.metrics
            assert set(query.metrics) <= exported() | recorded | set(NAMES) | OWN


def test_limits_are_those_of_the_objectives_file() -> None:
    levels = load_service_levels()
    other = levels.model_copy(
        update={
            "availability": levels.availability.model_copy(update={"objective_share": 0.99}),
            "latency": levels.latency.model_copy(update={"threshold_seconds": 0.5}),
            "cost": levels.cost.model_copy(update={"budget_usd_a_month": 7.0}),
        }
    )
    limits = {panel.id: panel.limit for dashboard in all_dashboards(other) for panel in dashboard.panels}
    assert limits["availability"].value == 0.99
    assert limits["availability"].below
    assert limits["availability"].is_crossed(0.98)
    assert not limits["availability"].is_crossed(0.995)
    assert limits["latency"].value == limits["bi-encoder-latency"].value == 0.5
    assert limits["cost-budget"].value == 7.0
    assert limits["index-age"].value == levels.freshness.index_age_days * 86_400


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        (
            'sum by (endpoint_x, le) (rate(a_total{type=~"b_c|d"}[5m])) / on (k_l) group_left (m_n) up',
            ("a_total", "up"),
        ),
        ("max by (e) (l:m_n:ratio) or 1 - clamp_min(x_y, 0)", ("l:m_n:ratio", "x_y")),
        ('label_replace(up{job="a_b"}, "c_d", "$1", "e", "(.+)")', ("up",)),
        ("max(ALERTS)", ("ALERTS",)),
    ],
)
def test_names_of_metrics_are_found_among_labels_and_functions(expression: str, metrics: tuple[str, ...]) -> None:
    assert Query(expression, "").metrics == metrics


@pytest.mark.skipif(find_tool(PROMTOOL) is None, reason="promtool is not here; run make monitoring-tools")
def test_promtool_reads_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"n{number}", "expr": Choices().filled(query.expression, dashboard, 60)}
        for number, (dashboard, query) in enumerate(
            (dashboard, query)
            for dashboard, panel in PANELS
            if panel.source is Source.PROMETHEUS
            for query in panel.queries
        )
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([tool(PROMTOOL), "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout
