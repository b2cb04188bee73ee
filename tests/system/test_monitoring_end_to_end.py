"""Real services, Prometheus, Alertmanager, Pushgateway and page: each fault is told to a stub of Telegram, and its end.

Rules and servers look fifteen times as often, over windows that are fifteen times shorter; `benchmarks/alerting.py`
measures the same stack at its true pace.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from deployment.bundle.format import Bundle
from monitoring.pipeline_pushes import RunMetrics, push_run
from monitoring.slo import SLO_FILE
from monitoring.tools import ALERTMANAGER, PROMETHEUS, PUSHGATEWAY, find_tool
from tests.helpers.monitoring_stack import until
from tests.helpers.tiny_bundle import tiny_bundle
from tests.helpers.watched_services import Expected, Watched, watched_services

HURRY = 15
REMEMBERED = {"AvailabilityBudgetBurnSlow", "LatencyBudgetBurnSlow", "RerankedBudgetBurnSlow"}
"""They look at hours, 24 minutes of these tests."""
_TOOLS = (PROMETHEUS, ALERTMANAGER, PUSHGATEWAY)
pytestmark = pytest.mark.skipif(
    any(find_tool(name) is None for name in _TOOLS), reason="Prometheus is not here; run make monitoring-tools"
)


@pytest.fixture(scope="module")
def slo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's objectives, where scores are compared with those of an hour and not of three days."""
    values = yaml.safe_load(SLO_FILE.read_text(encoding="utf-8"))
    values["score_drift"] |= {"recent_minutes": 3, "reference_hours": 0.5, "minimum_scores": 500}
    path = tmp_path_factory.mktemp("slo") / "slo.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def watched(bundle: Bundle, slo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched_services(bundle, tmp_path_factory.mktemp("watched"), slo, HURRY) as running:
        yield running


def test_nothing_fires_in_a_healthy_soak(watched: Watched) -> None:
    ends = time.monotonic() + 600 / HURRY
    while time.monotonic() < ends:
        assert watched.stack.firing() == set()
        time.sleep(0.5)
    assert watched.stack.bot.delivered == []
    assert watched.stack.value('sum(increase(endpoint_requests_total{endpoint="gateway",status="200"}[30s]))') > 20


@pytest.fixture(scope="module")
def lasting() -> list[Expected]:
    """Alerts that look at a long time, so that their ends are waited for together."""
    return []


def test_vectors_of_another_size_are_told(watched: Watched, lasting: list[Expected], tmp_path: Path) -> None:
    expected = watched.expects("EmbeddingDimensionChanged")
    watched.services.start("second-bi-encoder", tiny_bundle(tmp_path, hidden=48))
    (first,) = watched.addresses["bi-encoder"]
    watched.watch("bi-encoder", first, f"127.0.0.1:{watched.services.ports['second-bi-encoder']}")
    expected.comes()
    watched.watch("bi-encoder", first)
    watched.services.stop("second-bi-encoder")
    lasting.append(expected)


def test_errors_are_told(watched: Watched) -> None:
    expected = watched.expects("ErrorRateHigh")
    watched.services.proxy.fail_every = 4
    expected.comes()
    watched.services.proxy.heal()
    expected.ends()


def test_slow_answers_are_told(watched: Watched) -> None:
    expected = watched.expects("LatencyHigh")
    watched.services.proxy.delay_seconds = 2.5
    expected.comes()
    watched.services.proxy.heal()
    expected.ends()


def test_a_killed_service_is_told(watched: Watched) -> None:
    expected = watched.expects("EndpointDown")
    watched.services.stop("bi-encoder")
    expected.comes()
    watched.services.start("bi-encoder")
    expected.ends()


def test_services_that_start_again_and_again_are_told(watched: Watched, lasting: list[Expected]) -> None:
    expected = watched.expects("ColdStartSpike")
    for _ in range(6):
        watched.services.stop("second-cross-encoder")
        watched.services.start("second-cross-encoder")
        time.sleep(3)  # so that each start is scraped, on a busy machine too
    expected.comes()
    lasting.append(expected)


def test_scores_that_lie_otherwise_are_told(watched: Watched, lasting: list[Expected], tmp_path: Path) -> None:
    expected = watched.expects("ScoreDistributionDrift")
    watched.services.stop("second-cross-encoder")
    watched.services.start("second-cross-encoder", tiny_bundle(tmp_path, logit_shift=4.0))
    expected.comes()
    watched.services.stop("second-cross-encoder")
    watched.services.start("second-cross-encoder")
    lasting.append(expected)


def test_a_failed_pipeline_is_told(watched: Watched) -> None:
    pushgateway = watched.stack.ports.url("pushgateway")

    def push(succeeded: bool) -> None:
        assert push_run(pushgateway, RunMetrics("training", succeeded, 60.0, time.time()), None)

    expected = watched.expects("PipelineFailed")
    push(True)
    push(False)
    expected.comes()
    push(True)
    expected.ends()


def test_every_alert_that_came_was_told_as_often_as_its_end(watched: Watched, lasting: list[Expected]) -> None:
    for expected in lasting:
        expected.ends(seconds=400)
    until(lambda: watched.stack.firing() <= REMEMBERED, 400, "everything is over")

    def told(kind: str) -> Counter[str]:
        messages = watched.messages(kind)
        return Counter({name: count for name, count in messages.items() if name not in REMEMBERED})

    until(lambda: told("firing") == told("resolved"), 60, "every end is told")


def test_links_in_messages_lead_to_panels_and_runbooks(watched: Watched) -> None:
    links = {link for html in watched.stack.bot.delivered for link in re.findall(r'href="([^"]+)"', html)}
    assert len(links) > 8
    for link in links:
        address, _, anchor = link.partition("#")
        page = httpx.get(address, timeout=10)
        assert page.status_code == httpx.codes.OK, link
        assert f'id="{anchor}"' in page.text, link
