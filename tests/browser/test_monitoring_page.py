"""The monitoring page as an operator uses it, in a real browser, over real services and a real Prometheus.

With MONITORING_PAGE of a page that runs elsewhere, as one that has watched for a while, docs/monitoring-page.png is
made of that and nothing is started here.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from deployment.bundle.format import Bundle
from monitoring.dashboards import all_dashboards, panel_ids
from monitoring.tools import ALERTMANAGER, PROMETHEUS, PUSHGATEWAY, find_tool
from retrieval.processes.servers import free_port, running
from tests.browser.conftest import ROOT
from tests.helpers.axe import AXE, violations
from tests.helpers.monitored_services import Monitored, monitored
from tests.helpers.tiny_bundle import tiny_bundle

ELSEWHERE = os.environ.get("MONITORING_PAGE", "")
pytestmark = pytest.mark.skipif(
    not ELSEWHERE and any(find_tool(name) is None for name in (PROMETHEUS, ALERTMANAGER, PUSHGATEWAY)),
    reason="Prometheus, Alertmanager or Pushgateway is not here; run make monitoring-tools",
)
PATIENCE_SECONDS = 150.0
NAMES = [dashboard.id for dashboard in all_dashboards()]
SIZES = {"desk": {"width": 1400, "height": 950}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored | None]:
    if ELSEWHERE:
        yield None
        return
    bundle: Bundle = tiny_bundle(tmp_path_factory.mktemp("bundle"))
    with monitored(bundle.folder, tmp_path_factory.mktemp("monitored")) as started:
        started.push_runs()
        yield started


@pytest.fixture(scope="module")
def url(services: Monitored | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page all of whose panels have something to draw."""
    if services is None:
        yield ELSEWHERE.rstrip("/")
        return
    command = ["--prometheus", services.prometheus.url, "--alertmanager", services.alertmanager.url]
    with page_server(tmp_path_factory.mktemp("page"), *command) as address:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any('class="empty' in httpx.get(f"{address}/{name}").text for name in NAMES):
            assert time.monotonic() < deadline, "some panel never got data"
            services.ask()
            time.sleep(1.0)
        yield address


class page_server:  # noqa: N801 - a context manager
    """The page's own command on a free port."""

    def __init__(self, folder: Path, *options: str) -> None:
        port = free_port()
        command = [sys.executable, "-m", "monitoring.page", "--port", str(port), *options]
        self._running = running("monitoring page", command, port, {}, folder / "page.log")

    def __enter__(self) -> str:
        server = self._running.__enter__()
        server.wait_until_ready("/health", 60)
        return server.url

    def __exit__(self, *error: object) -> None:
        self._running.__exit__(None, None, None)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_every_panel_of_every_dashboard_is_drawn_as_svg_or_as_numbers(page: Page, url: str) -> None:
    for name in NAMES:
        page.goto(f"{url}/{name}")
        expect(page.locator(".empty")).to_have_count(0)
        for panel, of in panel_ids().items():
            if of != name or panel.startswith("logs-"):
                continue
            found = page.locator(f"#{panel}")
            expect(found).to_be_visible()
            drawn = found.locator("svg path.line, svg path.bar, svg path.heat, svg rect.state, .stats strong")
            assert drawn.count() > 0, panel
    if ELSEWHERE:
        page.goto(f"{url}/overview?range=15m")
        shown = {"x": 0, "y": 0, "width": 1400, "height": 1610}
        page.screenshot(path=ROOT / "docs" / "monitoring-page.png", clip=shown, full_page=True)


def test_a_link_of_an_alert_leads_to_its_panel_and_to_its_runbook(page: Page, url: str) -> None:
    page.goto(f"{url}/overview")
    alert = page.locator(".alerts li", has_text="PipelineFailed")
    alert.get_by_role("link", name="Panel").click()
    expect(page).to_have_url(re.compile("/pipeline#pipeline-outcome$"))
    expect(page.locator("#pipeline-outcome")).to_be_in_viewport()
    page.locator(".alerts li", has_text="PipelineFailed").get_by_role("link", name="Runbook").click()
    expect(page.locator("#PipelineFailed")).to_be_in_viewport()
    expect(page.locator("#PipelineFailed")).to_have_text("PipelineFailed")


def test_a_pointer_and_the_arrow_keys_read_values(page: Page, url: str) -> None:
    page.goto(f"{url}/overview")
    plot = page.locator("#requests .plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 20)
    tip = page.locator(".tip")
    expect(tip).to_contain_text("gateway stable")
    expect(tip).to_contain_text("/s")
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    plot.focus()
    page.keyboard.press("ArrowLeft")
    last = tip.locator(".when").inner_text()
    page.keyboard.press("ArrowLeft")
    assert tip.locator(".when").inner_text() < last
    page.keyboard.press("Home")
    expect(tip).to_be_visible()
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()


def test_choices_are_in_the_address_and_a_wrong_one_is_explained(page: Page, url: str) -> None:
    page.goto(f"{url}/bi-encoder")
    page.get_by_role("link", name="6h").click()
    expect(page).to_have_url(f"{url}/bi-encoder?range=6h")
    page.get_by_label("Track").select_option("stable")
    expect(page).to_have_url(f"{url}/bi-encoder?range=6h&track=stable")
    expect(page.get_by_label("Track")).to_have_value("stable")
    expect(page.locator("#bi-encoder-requests path.line").first).to_be_attached()
    page.goto(f"{url}/bi-encoder?range=5y")
    expect(page.locator("main")).to_contain_text("choose one of 15m, 1h, 6h, 24h, 7d")


def test_it_draws_itself_anew_keeps_what_is_open_and_says_when_it_cannot(
    page: Page, context: BrowserContext, url: str
) -> None:
    asked: list[Route] = []

    def fresh(route: Route) -> None:
        asked.append(route)
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace("Requests</a>", "Fresh requests</a>"))

    page.clock.install()
    page.goto(f"{url}/overview")
    page.locator("#requests summary").click()
    page.route("**/overview", fresh)
    page.clock.run_for(31_000)
    expect(page.locator("#requests h3")).to_have_text("Fresh requests")
    expect(page.locator("#requests .about p").first).to_be_visible()
    expect(page.locator("#requests summary")).to_be_focused()
    assert len(asked) == 1
    page.locator("#live").click()
    page.clock.run_for(95_000)
    assert len(asked) == 1
    page.unroute("**/overview")
    page.route("**/overview", lambda route: route.abort())
    page.locator("#live").click()
    expect(page.locator("#trouble")).to_contain_text("does not answer")


def test_while_prometheus_is_away_the_page_is_up_and_says_so(page: Page, tmp_path: Path) -> None:
    with page_server(tmp_path, "--prometheus", f"http://127.0.0.1:{free_port()}") as address:
        page.goto(f"{address}/overview")
        expect(page.locator("#alerts")).to_contain_text("does not answer")
        expect(page.locator(".failed")).to_have_count(16)
        page.get_by_role("link", name="Runbooks").click()
        expect(page.locator("h1").first).to_have_text("Runbooks")


def test_dark_follows_the_system_and_the_button_wins_and_is_remembered(page: Page, url: str) -> None:
    def paper() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    page.emulate_media(color_scheme="light")
    page.goto(f"{url}/overview")
    light = paper()
    page.emulate_media(color_scheme="dark")
    dark = paper()
    assert dark != light
    expect(page.locator("#theme")).to_have_attribute("aria-pressed", "true")
    page.locator("#theme").click()
    assert paper() == light
    page.reload()
    assert paper() == light


@pytest.mark.skipif(AXE is None, reason="axe-core is not here; run .ci/axe")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(scheme: str, size: str, page: Page, url: str) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size(SIZES[size])
    for name in [*NAMES, "runbooks", "nowhere"]:
        page.goto(f"{url}/{name}")
        if name in NAMES:
            page.locator(".about summary").first.click()
            page.locator(".plot").first.focus()
            page.keyboard.press("ArrowLeft")
        assert violations(page) == []
        assert fits(page), name


@pytest.mark.skipif(AXE is None, reason="axe-core is not here; run .ci/axe")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_there_is_no_data(scheme: str, page: Page, tmp_path: Path) -> None:
    page.emulate_media(color_scheme=scheme)
    with page_server(tmp_path, "--prometheus", f"http://127.0.0.1:{free_port()}") as address:
        page.goto(f"{address}/overview")
        assert violations(page) == []
