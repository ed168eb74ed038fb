"""The lab in a real browser: being the customer on every channel, and what the inbox makes of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from tests.e2e.shop import Shop, sign_in, violations
from tests.house import ROOT

RECORDING = ROOT / "app" / "demo" / "site" / "recordings" / "return-a-tent.wav"
ANSWERED = 30_000
"""Milliseconds within which the house has listened, looked and answered, two cores shared with others."""
SILENT = "localStorage.setItem('autocrm.lab.aloud', 'off')"


@pytest.fixture
async def customer(agent: BrowserContext) -> AsyncIterator[Page]:
    await agent.add_init_script(SILENT)
    page = await agent.new_page()
    yield page
    await page.close()


async def enter(page: Page, shop: Shop, channel: str, kind: str, who: str, name: str = "") -> None:
    """Opens the lab on a channel as a customer of the test's own."""
    account = (await shop.lab())[channel]
    await page.goto(f"/lab?on={account}")
    await page.get_by_text("Somebody else…").click()
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Address", exact=True).fill(who)
    await page.get_by_role("button", name="Be this customer").click()
    await expect(page).to_have_url(re.compile(rf"[?&]{kind}="))


def theirs(page: Page) -> Locator:
    return page.locator(".line:not([data-mine])")


async def write(page: Page, text: str) -> None:
    await page.get_by_label("Message", exact=True).fill(text)
    await page.get_by_role("button", name="Send", exact=True).click()


async def test_a_text_is_answered_on_the_same_screen(shop: Shop, customer: Page) -> None:
    await enter(customer, shop, "sms", "phone", "+493023125011")
    await write(customer, "Wie kann ich einen Artikel zurückgeben?")
    mine = customer.locator(".line[data-mine]")
    await expect(mine).to_have_count(1)
    await expect(mine).to_contain_text("zurückgeben?")
    await expect(theirs(customer).first).to_contain_text("30 Tagen", timeout=ANSWERED)
    await expect(theirs(customer).first).to_contain_text("delivered")
    await theirs(customer).first.get_by_text("Look inside").click()
    await expect(theirs(customer).first.locator(".mail-headers")).to_contain_text("segments")


async def test_a_mail_comes_back_formatted_and_is_answered(shop: Shop, customer: Page) -> None:
    await enter(customer, shop, "email", "email", "lab@kokyaku.example", "佐藤 葵")
    await customer.get_by_label("Subject").fill("パスワードについて")
    await write(customer, "パスワードを忘れてしまいました。どうすれば再設定できますか。")
    answer = theirs(customer).first
    await expect(answer.locator("iframe")).to_be_visible(timeout=ANSWERED)
    await answer.get_by_role("button", name="Plain text").click()
    await expect(answer.locator(".line-text")).to_contain_text("パスワード")
    await answer.get_by_text("Look inside").click()
    await expect(answer.locator(".mail-headers")).to_contain_text("auto-replied")
    await answer.get_by_role("button", name="Reply").click()
    await expect(customer.get_by_label("Subject")).to_have_value(re.compile("^Re: "))
    await write(customer, "ありがとうございます。人と話したいです。")
    ticket = await shop.ticket_of("lab@kokyaku.example", handoff="queue")
    async with shop.signed_in() as api:
        messages = (await api.get(f"/api/v1/tickets/{ticket['id']}/messages")).json()["items"]
    assert [one["direction"] for one in messages].count("in") == 2


async def test_a_thread_grows_and_its_buttons_and_edits_work(shop: Shop, customer: Page) -> None:
    await enter(customer, shop, "slack", "slack", "lab.lena", "Lena Lab")
    await write(customer, "Wie kann ich einen Artikel zurückgeben?")
    answer = theirs(customer).first
    await expect(answer).to_contain_text("30 Tagen", timeout=ANSWERED)
    await customer.locator(".line[data-mine]").first.get_by_role("button", name="Reply").click()
    await write(customer, "Und wer zahlt den Versand?")
    reply = customer.locator(".thread-replies .line[data-mine]")
    await expect(reply).to_contain_text("Und wer zahlt den Versand?")

    await reply.get_by_role("button", name="Edit").click()
    field = customer.get_by_label("Message", exact=True)
    await expect(field).to_have_value("Und wer zahlt den Versand?")
    await field.fill("Und wer zahlt das Porto?")
    await customer.get_by_role("button", name="Save").click()
    await expect(reply).to_contain_text("Und wer zahlt das Porto?")
    await expect(reply).to_contain_text("edited")

    await answer.get_by_role("button", name="React").click()
    await customer.get_by_role("button", name="🎉").click()
    await expect(answer.locator(".line-reactions")).not_to_be_empty()

    await answer.get_by_role("button", name="Mit einem Menschen sprechen").click()
    await customer.goto("/inbox/queue")
    await customer.locator("a.row", has_text="Lena Lab").first.click()
    await expect(customer.locator(".event-line", has_text="asked for a person.").first).to_be_visible()


async def test_what_the_provider_refuses_is_said_and_nothing_is_lost(shop: Shop, customer: Page) -> None:
    await enter(customer, shop, "sms", "phone", "not-a-number")
    await write(customer, "Hello?")
    await expect(customer.get_by_role("alert").filter(has_text="The provider says no")).to_be_visible()
    await expect(customer.get_by_label("Message", exact=True)).to_have_value("Hello?")


async def test_a_provider_misbehaves_until_told_otherwise(shop: Shop, customer: Page) -> None:
    account = (await shop.lab())["sms"]
    await customer.goto(f"/lab?on={account}")
    await customer.get_by_role("radio", name="Says everything twice").check()
    await expect(customer.locator(".rail-wrong")).to_have_count(1)
    await enter(customer, shop, "sms", "phone", "+493023125012")
    await write(customer, "Wie kann ich einen Artikel zurückgeben?")
    await expect(theirs(customer).first).to_contain_text("30 Tagen", timeout=ANSWERED)
    await customer.get_by_role("radio", name="Well").check()
    await expect(customer.locator(".rail-wrong")).to_have_count(0)
    async with shop.signed_in() as api:
        ticket = await shop.ticket_of("+493023125012")
        messages = (await api.get(f"/api/v1/tickets/{ticket['id']}/messages")).json()["items"]
    assert [one["direction"] for one in messages] == ["in", "out"]


async def asks_by_phone(page: Page, shop: Shop, who: str, recording: Path | None = None) -> None:
    """Calls, waits to be heard, and plays a question into the line."""
    await enter(page, shop, "voice", "phone", who)
    await page.get_by_role("button", name="Call", exact=True).click()
    await expect(page.locator(".call-state")).to_have_text("Listening to you", timeout=ANSWERED)
    if recording is None:
        await page.get_by_role("button", name="How do I return a tent?").click()
    else:
        async with page.expect_file_chooser() as chooser:
            await page.get_by_role("button", name="Play a recording…").click()
        await (await chooser.value).set_files(recording)
    await expect(page.locator(".said[data-mine]")).to_contain_text("return-a-tent.wav")
    await expect(page.locator(".said", has_text="30 days")).to_be_visible(timeout=ANSWERED)


@pytest.mark.timeout(180)
async def test_a_call_is_heard_answered_and_can_be_played_in_the_inbox(shop: Shop, customer: Page) -> None:
    await asks_by_phone(customer, shop, "+442079460011", RECORDING)
    await expect(customer.locator(".call-state")).to_have_text("Listening to you", timeout=ANSWERED)
    await customer.get_by_role("button", name="1", exact=True).click()
    await expect(customer.locator(".said[data-mine]", has_text="Key 1")).to_be_visible()
    await customer.get_by_role("button", name="Hang up").click()
    await expect(customer.locator(".call-state")).to_have_text("Call ended")

    ticket = await shop.ticket_of("+442079460011")
    assert ticket["subject"] == "How do I return a tent?"
    await customer.goto(f"/inbox/open/{ticket['id']}")
    message = customer.locator(".message-in").first
    recording = message.get_by_role("group", name=re.compile("Spoken message"))
    slider = recording.get_by_role("slider")
    await expect(slider).to_have_attribute("aria-valuetext", "0:00 of 0:01")
    segment = recording.get_by_role("list", name="Transcript").get_by_role("listitem")
    await expect(segment).to_contain_text("How do I return a tent?")
    await expect(message.locator(".message-text")).to_have_count(0)
    await slider.press("End")
    await expect(slider).to_have_attribute("aria-valuetext", "0:01 of 0:01")
    await slider.press("Home")
    await expect(slider).to_have_attribute("aria-valuetext", "0:00 of 0:01")
    await recording.get_by_role("button", name="Play from 0:00").click()
    await expect(recording.get_by_role("button", name=re.compile("^Pause"))).to_be_visible()
    await expect(customer.locator(".event-line", has_text="called.")).to_be_visible()
    await expect(customer.locator(".event-line", has_text="ended.")).to_be_visible()


async def test_where_there_is_no_microphone_it_says_so(shop: Shop, customer: Page) -> None:
    await enter(customer, shop, "voice", "phone", "+442079460012")
    await expect(customer.get_by_role("button", name="Speak", exact=True)).to_be_disabled()
    await customer.get_by_role("button", name="Call", exact=True).click()
    await expect(customer.locator(".call-state")).to_have_text("Listening to you", timeout=ANSWERED)
    await customer.get_by_role("button", name="Speak", exact=True).click()
    await expect(customer.get_by_role("alert").filter(has_text="microphone")).to_be_visible()
    async with customer.expect_file_chooser() as chooser:
        await customer.get_by_role("button", name="Play a recording…").click()
    await (await chooser.value).set_files({"name": "a.wav", "mimeType": "audio/wav", "buffer": b"no sound"})
    await expect(customer.get_by_role("alert").filter(has_text="holds no sound")).to_be_visible()
    await customer.get_by_role("button", name="Hang up").click()
    await expect(customer.locator(".call-state")).to_have_text("Call ended")


@pytest.mark.timeout(180)
async def test_a_microphone_is_heard(shop: Shop, browser: Browser) -> None:
    context = await browser.new_context(base_url=shop.url, locale="en-GB", viewport={"width": 1440, "height": 900})
    await sign_in(context, shop)
    # A microphone into which the recording is played: this machine has none.
    await context.add_init_script(
        SILENT
        + """;
        navigator.mediaDevices.getUserMedia = async () => {
            const audio = new AudioContext();
            const sound = await audio.decodeAudioData(await (await fetch('/demo/recordings/return-a-tent.wav')).arrayBuffer());
            const voice = audio.createBufferSource();
            const ear = audio.createMediaStreamDestination();
            voice.buffer = sound;
            voice.connect(ear);
            voice.onended = () => document.documentElement.setAttribute('data-spoken', '');
            voice.start();
            return ear.stream;
        }"""
    )
    page = await context.new_page()
    await enter(page, shop, "voice", "phone", "+442079460013")
    await page.get_by_role("button", name="Call", exact=True).click()
    await expect(page.locator(".call-state")).to_have_text("Listening to you", timeout=ANSWERED)
    await page.get_by_role("button", name="Speak", exact=True).click()
    await expect(page.get_by_role("meter", name="Loudness")).to_be_visible()
    await page.locator("html[data-spoken]").wait_for(state="attached")
    await page.get_by_role("button", name="Done").click()
    await expect(page.locator(".said", has_text="30 days")).to_be_visible(timeout=ANSWERED)
    await page.get_by_role("button", name="Hang up").click()
    await context.close()


async def test_the_shop_site_is_at_hand(customer: Page) -> None:
    await customer.goto("/lab")
    await customer.get_by_role("button", name="The shop’s site").click()
    frame = customer.frame_locator(".lab-site iframe")
    await expect(frame.get_by_role("button", name="Open chat")).to_be_visible()


async def test_arabic_turns_the_lab_around_but_not_the_keys(shop: Shop, browser: Browser) -> None:
    context = await browser.new_context(base_url=shop.url, locale="ar", viewport={"width": 1440, "height": 900})
    await sign_in(context, shop)
    await context.add_init_script("localStorage.setItem('autocrm.language', 'ar')")
    page = await context.new_page()
    await page.goto(f"/lab?on={(await shop.lab())['voice']}")
    await expect(page.get_by_role("heading", level=1, name="المختبر")).to_be_visible()
    rail = await page.locator(".lab-rail").bounding_box()
    side = await page.locator(".lab-side").bounding_box()
    one = await page.get_by_role("button", name="1", exact=True).bounding_box()
    three = await page.get_by_role("button", name="3", exact=True).bounding_box()
    assert rail and side and one and three  # noqa: PT018 - boxes of what is visible
    assert rail["x"] > side["x"]
    assert one["x"] < three["x"]
    await context.close()


async def test_a_phone_has_room_for_everything(shop: Shop, browser: Browser) -> None:
    context = await browser.new_context(
        base_url=shop.url, locale="en-GB", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    await sign_in(context, shop)
    page = await context.new_page()
    accounts = await shop.lab()
    for channel in ("email", "slack", "sms", "telegram", "voice"):
        await page.goto(f"/lab?on={accounts[channel]}")
        await expect(page.locator(".lab-side h2").first).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), channel
    await context.close()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_nothing_stands_in_the_way_of_assistive_technology(shop: Shop, browser: Browser, colours: str) -> None:
    context = await browser.new_context(
        base_url=shop.url, locale="en-GB", color_scheme=colours,  # type: ignore[arg-type]
        viewport={"width": 1440, "height": 900}, reduced_motion="reduce",
    )  # fmt: skip
    await sign_in(context, shop)
    await context.add_init_script(SILENT)
    page = await context.new_page()
    number = {"light": "+442079460021", "dark": "+442079460022"}[colours]
    found: dict[str, list[str]] = {}
    for channel, kind, who in (
        ("email", "email", f"axe-{colours}@access.example"),
        ("slack", "slack", f"axe.{colours}"),
        ("telegram", "telegram", f"axe_{colours}"),
        ("sms", "phone", number),
    ):
        await enter(page, shop, channel, kind, who, "Ada Access")
        found[f"{channel}, empty"] = await violations(page)
        await write(page, "How do I return an item?")
        await expect(theirs(page).first).to_be_visible(timeout=ANSWERED)
        found[channel] = await violations(page)
    await asks_by_phone(page, shop, number)
    found["phone"] = await violations(page)
    await page.get_by_role("button", name="Hang up").click()
    tickets = [await shop.ticket_of(number, channel="voice")]
    await page.goto(f"/inbox/open/{tickets[0]['id']}")
    await expect(page.locator(".transcript").first).to_be_visible()
    found["call in the inbox"] = await violations(page)
    assert found == {name: [] for name in found}
    await context.close()
