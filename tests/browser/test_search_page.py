"""The search page as a person uses it, in a real browser against a real gateway."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from deployment.bundle.format import Bundle
from retrieval.processes.servers import LocalServer
from tests.browser.conftest import ROOT, SCREENSHOTS, start
from tests.helpers.tiny_bundle import QUESTION

KEY = "a-key-of-this-test-0123456789"
TITLES = "#results h2 a"


def ask(page: Page, question: str = QUESTION) -> None:
    page.locator("#question").fill(question)
    page.keyboard.press("Enter")
    expect(page.locator(".hit").first).to_be_visible()


def asked(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def picture(page: Page, name: str) -> None:
    if SCREENSHOTS:
        time.sleep(0.5)  # for the end of a transition
        page.screenshot(path=ROOT / "docs" / f"{name}.png")


def test_a_question_is_answered_with_law_and_the_address_can_be_shared(page: Page, gateway: LocalServer) -> None:
    page.goto(gateway.url)
    expect(page.locator("#laws li").first).to_be_visible()
    ask(page)
    first = page.locator(".hit").first
    expect(first.locator(".source")).not_to_be_empty()
    expect(first.locator("h2")).to_contain_text("Điều")
    expect(first.locator(".path")).to_contain_text("Chương")
    expect(page.locator(".snippet mark").first).to_be_visible()
    expect(page.locator("#status")).to_contain_text("10 điều sát nhất")
    expect(page).to_have_title(re.compile(re.escape(QUESTION)))
    picture(page, "search-page")
    order = page.locator(TITLES).all_inner_texts()
    assert asked(page) == {"q": [QUESTION]}
    page.goto(page.url)
    expect(page.locator(TITLES)).to_have_text(order)


def test_an_example_question_is_one_click_away(page: Page, gateway: LocalServer) -> None:
    page.goto(gateway.url)
    example = page.locator("#examples a").first
    text = example.inner_text()
    example.click()
    expect(page.locator(".hit").first).to_be_visible()
    expect(page.locator("#question")).to_have_value(text)


def test_why_an_article_ranks_here_is_told_in_words_numbers_and_bars(page: Page, gateway: LocalServer) -> None:
    page.goto(f"{gateway.url}/?q={QUESTION}")
    why = page.locator(".hit .why").first
    why.locator("summary").click()
    expect(why.locator("p")).to_contain_text("Thứ 1")
    for name in ("Từ khóa", "Ý nghĩa", "Vòng đầu", "Đọc kỹ", "Điểm xếp hạng"):
        expect(why.locator("tr", has_text=name)).to_have_count(1)
    widths = [bar.bounding_box()["width"] for bar in why.locator(".bar i").all()]
    full = why.locator(".bar").first.bounding_box()["width"]
    assert all(width <= full + 0.5 for width in widths)
    assert any(width > full / 3 for width in widths)


@pytest.mark.skipif(SCREENSHOTS, reason="asks for a made-up law")
def test_an_article_that_the_question_names_comes_first_and_says_why(page: Page, gateway: LocalServer) -> None:
    page.goto(f"{gateway.url}/?q=Điều 17 Bộ luật thử")
    expect(page.locator(".hit").first).to_have_attribute("data-cid", "1/2020/QH14:17")
    for place, reason in ((0, "Câu hỏi nêu đúng điều này."), (1, "Câu hỏi nêu luật này hoặc số của điều này.")):
        why = page.locator(".hit .why").nth(place)
        why.locator("summary").click()
        expect(why.locator("p")).to_contain_text(reason)


def test_an_article_opens_whole_beside_the_results_and_closes_where_one_was(page: Page, gateway: LocalServer) -> None:
    page.goto(f"{gateway.url}/?q={QUESTION}")
    second = page.locator(TITLES).nth(1)
    cid = second.get_attribute("data-cid")
    second.click()
    expect(page.locator("#reader .law p").first).to_be_visible()
    expect(page.locator("#reader h1")).to_contain_text(second.inner_text())
    expect(page.locator(".hit.open")).to_have_attribute("data-cid", str(cid))
    assert asked(page)["dieu"] == [cid]
    picture(page, "search-page-article")
    page.keyboard.press("Escape")
    expect(page.locator("#reader")).to_be_hidden()
    expect(second).to_be_focused()
    page.go_back()
    expect(page.locator("#reader h1")).to_contain_text(second.inner_text())


def test_a_shared_address_of_an_article_opens_it_and_its_neighbours_are_a_click_away(
    page: Page, gateway: LocalServer
) -> None:
    page.goto(f"{gateway.url}/?q={QUESTION}")
    cid = str(page.locator(TITLES).first.get_attribute("data-cid"))
    page.goto(f"{gateway.url}/?dieu={cid}")
    expect(page.locator("#reader .law p").first).to_be_visible()
    expect(page.locator("#welcome")).to_be_visible()
    neighbour = page.locator("nav.turn a").first
    other = neighbour.get_attribute("data-cid")
    neighbour.click()
    expect(page.locator("#reader h1")).not_to_have_text("Đang mở…")
    assert asked(page)["dieu"] == [other] != [cid]


def test_the_keyboard_is_enough(page: Page, gateway: LocalServer) -> None:
    page.goto(gateway.url)
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    expect(page.locator(".hit").first).to_be_visible()
    titles = page.locator(TITLES)
    page.keyboard.press("ArrowDown")
    expect(titles.nth(0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(titles.nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#reader .law p").first).to_be_visible()
    expect(page.locator("#reader")).to_be_focused()
    page.keyboard.press("Escape")
    expect(titles.nth(0)).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#question")).to_be_focused()


def test_what_is_typed_is_shown_as_text_and_runs_nothing(page: Page, gateway: LocalServer) -> None:
    page.goto(gateway.url)
    ask(page, "<img src=x onerror=window.hurt=1> nghỉ & phép")
    assert page.evaluate("window.hurt") is None
    assert page.locator("#answers img").count() == 0


def test_dark_follows_the_system_and_the_button_wins_and_is_remembered(page: Page, gateway: LocalServer) -> None:
    def paper() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    page.emulate_media(color_scheme="light")
    page.goto(gateway.url)
    light = paper()
    page.emulate_media(color_scheme="dark")
    dark = paper()
    assert dark != light
    expect(page.locator("#theme")).to_have_attribute("aria-pressed", "true")
    page.locator("#theme").click()
    assert paper() == light
    page.reload()
    assert paper() == light


def test_on_a_phone_nothing_is_wider_than_the_screen(page: Page, gateway: LocalServer) -> None:
    page.set_viewport_size({"width": 360, "height": 740})

    def fits() -> bool:
        return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))

    page.goto(gateway.url)
    expect(page.locator("#laws li").first).to_be_visible()
    assert fits()
    ask(page)
    page.locator(".why summary").first.click()
    assert fits()
    page.locator(TITLES).first.click()
    expect(page.locator("#reader .law p").first).to_be_visible()
    assert fits()
    box = page.locator("#reader").bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 360, 740)


def refused(status: int, headers: dict[str, str] | None = None):
    def answer(route: Route) -> None:
        route.fulfill(status=status, headers=headers or {}, json={"error": {"code": "overloaded", "message": "full"}})

    return answer


@pytest.mark.parametrize(
    ("status", "said"),
    [(429, "quá nhiều câu hỏi"), (503, "chưa sẵn sàng"), (500, "Máy chủ gặp lỗi"), (422, "không đọc được")],
)
def test_a_refusal_is_told_in_vietnamese(status: int, said: str, page: Page, gateway: LocalServer) -> None:
    page.route("**/search", refused(status, {"retry-after": "7"}))
    page.goto(f"{gateway.url}/?q={QUESTION}")
    expect(page.locator("#trouble")).to_contain_text(said)
    if status == 429:
        expect(page.locator("#trouble")).to_contain_text("7 giây")
    assert page.locator("#retry").is_visible() == (status != 422)


def test_without_a_network_it_says_so_and_tries_again(
    page: Page, context: BrowserContext, gateway: LocalServer
) -> None:
    page.goto(gateway.url)
    context.set_offline(True)
    expect(page.locator("#offline")).to_be_visible()
    page.locator("#question").fill(QUESTION)
    page.keyboard.press("Enter")
    expect(page.locator("#trouble")).to_contain_text("Không kết nối được")
    context.set_offline(False)
    expect(page.locator("#offline")).to_be_hidden()
    page.locator("#retry").click()
    expect(page.locator(".hit").first).to_be_visible()


def test_while_it_searches_it_shows_that_it_does(page: Page, gateway: LocalServer) -> None:
    held: list[Route] = []
    page.route("**/search", lambda route: held.append(route))  # noqa: PLW0108 - Playwright wants a function of Python
    page.goto(f"{gateway.url}/?q={QUESTION}")
    expect(page.locator(".ghost")).to_have_count(3)
    expect(page.locator("#answers")).to_have_attribute("aria-busy", "true")
    held[0].continue_()
    expect(page.locator(".hit").first).to_be_visible()
    expect(page.locator("#answers")).to_have_attribute("aria-busy", "false")


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"results": []}, "Không tìm thấy điều nào"), ({"reranked": False, "fallback_reason": "slow"}, "vòng tìm đầu")],
)
def test_nothing_found_and_a_fallback_are_said(
    changed: dict[str, object], said: str, page: Page, gateway: LocalServer
) -> None:
    page.route("**/search", lambda route: route.fulfill(json=route.fetch().json() | changed))
    page.goto(f"{gateway.url}/?q={QUESTION}")
    expect(page.locator("#answers")).to_contain_text(said)


def test_an_article_that_is_not_there_is_said(page: Page, gateway: LocalServer) -> None:
    page.goto(f"{gateway.url}/?dieu=9/9999/QH9:1")
    expect(page.locator("#reader")).to_contain_text("Không có điều luật này")


def test_where_keys_are_set_the_page_asks_for_one(page: Page, bundle: Bundle, tmp_path: Path) -> None:
    for gateway in start(bundle, tmp_path, RETRIEVER_API_KEYS=KEY):
        page.goto(f"{gateway.url}/?q={QUESTION}")
        page.locator("#key").fill(KEY)
        page.keyboard.press("Enter")
        expect(page.locator(".hit").first).to_be_visible()
