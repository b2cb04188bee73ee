"""axe-core finds nothing, in light and dark, at a desk and on a phone, in every state of the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from retrieval.processes.servers import LocalServer
from tests.helpers.axe import AXE, violations
from tests.helpers.tiny_bundle import QUESTION

SIZES = {"desk": {"width": 1400, "height": 950}, "phone": {"width": 390, "height": 844}}


@pytest.mark.skipif(AXE is None, reason="axe-core is not here; run .ci/axe")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_in_any_state(scheme: str, size: str, page: Page, gateway: LocalServer) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size(SIZES[size])
    page.goto(gateway.url)
    expect(page.locator("#laws li").first).to_be_visible()
    assert violations(page) == []
    page.goto(f"{gateway.url}/?q={QUESTION}")
    page.locator(".why summary").first.click()
    assert violations(page) == []
    page.locator("#results h2 a").first.click()
    expect(page.locator("#reader .law p").first).to_be_visible()
    assert violations(page) == []
    page.route("**/search", lambda route: route.fulfill(status=503, json={}))
    page.goto(f"{gateway.url}/?q={QUESTION}")
    expect(page.locator("#trouble")).to_be_visible()
    assert violations(page) == []
    page.route("**/search", lambda route: route.fulfill(status=401, json={}))
    page.goto(f"{gateway.url}/?q={QUESTION}")
    expect(page.locator("#key-form")).to_be_visible()
    assert violations(page) == []
    page.route("**/search", lambda route: None)
    page.goto(f"{gateway.url}/?q={QUESTION}")
    expect(page.locator(".ghost").first).to_be_visible()
    assert violations(page) == []
