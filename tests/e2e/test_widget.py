"""The chat widget on the demo's shop page, in a real browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from tests.e2e.shop import Shop, violations

QUESTION = "Wie kann ich einen Artikel zurückgeben?"


@pytest.fixture
async def visitor(shop: Shop, browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(base_url=shop.url, locale="en-GB", viewport={"width": 1280, "height": 860})
    context.set_default_timeout(15_000)
    yield context
    await context.close()


async def in_language(page: Page, language: str, direction: str = "ltr") -> None:
    """The shop page as a site in this language would have it."""

    async def translate(route: Route) -> None:
        answer = await route.fetch()
        body = (await answer.text()).replace('<html lang="en">', f'<html lang="{language}" dir="{direction}">')
        await route.fulfill(response=answer, body=body)

    await page.route("**/demo/", translate)


async def opened(context: BrowserContext, language: str | None = None, direction: str = "ltr") -> Page:
    page = await context.new_page()
    if language is not None:
        await in_language(page, language, direction)
    await page.goto("/demo/")
    await page.locator("autocrm-widget .launcher").click()
    await expect(page.locator("autocrm-widget textarea")).to_be_focused()
    return page


async def ask(page: Page, text: str) -> None:
    await page.locator("autocrm-widget textarea").fill(text)
    await page.locator("autocrm-widget textarea").press("Enter")


async def test_no_socket_and_no_session_before_the_window_is_opened(visitor: BrowserContext) -> None:
    page = await visitor.new_page()
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url))
    page.on("websocket", lambda socket: calls.append(socket.url))
    await page.goto("/demo/")
    await expect(page.get_by_role("button", name="Open chat")).to_be_visible()
    assert not [url for url in calls if "/api/" in url]


async def test_a_question_is_answered_with_its_source(visitor: BrowserContext) -> None:
    page = await opened(visitor, "de")
    chat = page.locator("autocrm-widget")
    await expect(chat.locator("#notice")).to_contain_text("KI")
    await ask(page, QUESTION)
    answer = chat.locator(".message.ai")
    await expect(answer).to_contain_text("30", timeout=20_000)
    await expect(answer.locator(".sources a").first).to_have_attribute("href", re.compile("/de/returns"))
    await expect(chat.locator(".message.you")).to_have_count(1)
    await expect(chat.locator(".state")).to_have_count(0)


async def test_reloading_keeps_the_conversation(visitor: BrowserContext) -> None:
    page = await opened(visitor, "de")
    chat = page.locator("autocrm-widget")
    await ask(page, QUESTION)
    await expect(chat.locator(".message.ai")).to_be_visible(timeout=20_000)
    await page.reload()
    await chat.locator(".launcher").click()
    await expect(chat.locator(".message.you")).to_have_count(1)
    await expect(chat.locator(".message.ai")).to_have_count(1)
    await expect(chat.locator(".message.you .text")).to_have_text(QUESTION)


async def test_a_message_written_while_the_server_is_away_is_kept_and_arrives_once(
    shop: Shop, visitor: BrowserContext
) -> None:
    page = await opened(visitor)
    chat = page.locator("autocrm-widget")
    await expect(chat.locator(".status")).to_have_text("")
    shop.house.kill("api")
    await expect(chat.locator(".status")).to_contain_text("Connection lost")
    await ask(page, "Is anybody there in the storm?")
    await expect(chat.locator(".message.you .state")).to_have_text("Not sent")
    shop.house.start("api")
    await shop.answers_again()
    await expect(chat.locator(".message.you .state")).to_have_count(0, timeout=40_000)
    await expect(chat.locator(".message.ai")).to_be_visible(timeout=20_000)
    await page.reload()
    await chat.locator(".launcher").click()
    await expect(chat.locator(".message.you .text", has_text="in the storm")).to_have_count(1)


async def test_an_unsent_message_outlives_the_page(shop: Shop, visitor: BrowserContext) -> None:
    page = await opened(visitor)
    chat = page.locator("autocrm-widget")
    await expect(chat.locator(".status")).to_have_text("")
    await page.route_web_socket(re.compile("/live$"), lambda _socket: None)  # takes everything, says nothing
    await page.reload()
    await chat.locator(".launcher").click()
    await ask(page, "Do you rent canoes on Sundays?")
    await expect(chat.locator(".message.you .state")).to_be_visible()
    other = await visitor.new_page()
    await other.goto("/demo/")
    await other.locator("autocrm-widget .launcher").click()
    mine = other.locator("autocrm-widget .message.you", has_text="canoes on Sundays")
    await expect(mine).to_have_count(1)
    await expect(mine.locator(".state")).to_have_count(0)


async def test_a_person_answers_in_the_same_window(shop: Shop, visitor: BrowserContext) -> None:
    page = await opened(visitor)
    chat = page.locator("autocrm-widget")
    await ask(page, "Do you have an opening for a lighthouse keeper?")
    await expect(chat.locator("#notice")).to_contain_text("passed on", timeout=20_000)
    async with shop.signed_in() as api:
        tickets = (await api.get("/api/v1/tickets", params={"q": "lighthouse"})).json()["items"]
        answer = await api.post(f"/api/v1/tickets/{tickets[0]['id']}/replies", json={"text": "Sadly not, says Agnes."})
        assert answer.status_code == 201, answer.text
    await expect(chat.locator(".message.agent")).to_contain_text("Sadly not, says Agnes.")
    await expect(chat.locator(".message.agent .who")).to_contain_text("Agnes Agent")


async def test_words_are_shown_as_words(visitor: BrowserContext) -> None:
    page = await opened(visitor)
    hostile = "<img src=x onerror=\"document.title='taken'\"> see https://example.com/a. javascript:alert(1)"
    await ask(page, hostile)
    text = page.locator("autocrm-widget .message.you .text")
    await expect(text).to_have_text(hostile)
    await expect(text.locator("img")).to_have_count(0)
    await expect(text.locator("a")).to_have_count(1)
    await expect(text.locator("a")).to_have_attribute("href", "https://example.com/a")
    assert await page.title() != "taken"


async def test_too_much_is_said_before_it_is_sent(visitor: BrowserContext) -> None:
    page = await opened(visitor)
    chat = page.locator("autocrm-widget")
    await ask(page, "")
    await expect(chat.get_by_role("alert")).to_have_text("Please write a message first.")
    await ask(page, "x" * 8002)
    await expect(chat.get_by_role("alert")).to_have_text("2 characters too long")
    await expect(chat.locator(".message.you")).to_have_count(0)


async def test_the_keyboard_opens_and_closes_and_focus_returns(visitor: BrowserContext) -> None:
    page = await visitor.new_page()
    await page.goto("/demo/")
    launcher = page.get_by_role("button", name="Open chat")
    await launcher.focus()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Chat with us")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(launcher).to_be_focused()


async def test_arabic_stands_on_the_other_side(visitor: BrowserContext) -> None:
    page = await opened(visitor, "ar", "rtl")
    await expect(page.get_by_role("dialog")).to_have_attribute("dir", "rtl")
    box = await page.locator("autocrm-widget .panel").bounding_box()
    assert box is not None
    assert box["x"] < 100


async def test_a_phone_gets_the_whole_screen(shop: Shop, browser: Browser) -> None:
    context = await browser.new_context(
        base_url=shop.url, locale="en-GB", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = await opened(context)
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_have_attribute("aria-modal", "true")
    await asyncio.gather(*(animation for animation in [page.locator("autocrm-widget .panel").evaluate(
        "panel => Promise.all(panel.getAnimations().map((one) => one.finished)).then(() => null)"
    )]))  # fmt: skip
    box = await page.locator("autocrm-widget .panel").bounding_box()
    assert box is not None
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 390, 844)
    await context.close()


@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_nothing_stands_in_the_way_of_assistive_technology(shop: Shop, browser: Browser, colours: str) -> None:
    context = await browser.new_context(
        base_url=shop.url,
        locale="en-GB",
        color_scheme=colours,
        reduced_motion="reduce",  # type: ignore[arg-type]
    )
    page = await opened(context, "de")
    await ask(page, QUESTION)
    await expect(page.locator("autocrm-widget .message.ai")).to_be_visible(timeout=20_000)
    await ask(page, "")
    assert await violations(page) == []
    await context.close()
