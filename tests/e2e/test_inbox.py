"""The agents' inbox in a real browser, on a running demo."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.e2e.shop import AGENT, Shop, sign_in, violations

HTML_MAIL = """\
Subject: Pictures
From: Nina Picture <nina@pictures.example>
To: support@fernweh.example
Message-ID: <pictures@pictures.example>
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8

<p>Is the <b>blue</b> tent still there?</p><script>top.document.title = 'taken'</script>
<img src="https://tracker.pictures.example/pixel.png" onerror="top.document.title = 'taken'">
"""


async def open_ticket(agent: BrowserContext, shop: Shop, address: str, **wanted: str) -> Page:
    ticket = await shop.ticket_of(address, **wanted)
    page = await agent.new_page()
    await page.goto(f"/inbox/open/{ticket['id']}")
    await expect(page.get_by_role("heading", level=1, name=ticket["subject"])).to_be_visible()
    return page


async def test_signing_in_says_what_is_wrong_and_then_lets_in(shop: Shop, browser: Browser) -> None:
    context = await browser.new_context(base_url=shop.url, locale="en-GB")
    page = await context.new_page()
    await page.goto("/inbox/queue")
    await page.get_by_label("E-mail address").fill(AGENT)
    await page.get_by_label("Password", exact=True).fill("wrong-wrong-wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("do not belong together")

    await page.get_by_label("Password", exact=True).fill(shop.password)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1, name="Waiting for a person")).to_be_visible()

    await page.get_by_role("button", name="Settings").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
    await context.close()


async def test_a_forgotten_password_is_answered_alike_for_everybody(shop: Shop, browser: Browser) -> None:
    context = await browser.new_context(base_url=shop.url, locale="en-GB")
    page = await context.new_page()
    await page.goto("/")
    await page.get_by_role("link", name="Forgotten your password?").click()
    await page.get_by_label("E-mail address").fill("nobody@nowhere.example")
    await page.get_by_role("button", name="Send the link").click()
    await expect(page.get_by_text("If there is an account with this address")).to_be_visible()
    await page.goto("/password-reset/not-a-token")
    await page.get_by_label("New password").fill("a-long-enough-password")
    await page.get_by_role("button", name="Save password").click()
    await expect(page.get_by_role("alert")).to_contain_text("expired")
    await context.close()


async def test_a_mail_appears_by_itself_and_opens_with_the_answer_and_its_source(
    shop: Shop, agent: BrowserContext
) -> None:
    page = await agent.new_page()
    await page.goto("/inbox/open")
    await expect(page.get_by_role("heading", level=1, name="All open")).to_be_visible()
    await shop.write(
        "Lena Live", "lena@live.example", "Rückgabe",
        "Guten Tag,\n\nwie kann ich einen Artikel zurückgeben?\n\nGrüße\nLena",
    )  # fmt: skip
    row = page.locator("a.row", has_text="Lena Live")
    await expect(row).to_contain_text("Pending")
    await row.click()
    await expect(page.locator(".message-in .message-text")).to_contain_text("wie kann ich einen Artikel zurückgeben?")
    answer = page.locator(".message-ai")
    await expect(answer.locator(".citations").get_by_role("link", name="Artikel zurücksenden")).to_be_visible()
    await expect(answer.locator(".delivery")).to_contain_text("Sent")
    await expect(answer).to_contain_text("%")
    await expect(page.locator(".ticket-head")).to_contain_text("German")


async def test_taking_over_replying_and_giving_back(shop: Shop, agent: BrowserContext) -> None:
    await shop.write("Tom Over", "tom@over.example", "Job", "Do you have an opening for an accountant in Lisbon?")
    page = await open_ticket(agent, shop, "tom@over.example", handoff="queue")
    await page.locator("body").press("t")
    await expect(page.get_by_text("Agnes Agent took the ticket over.")).to_be_visible()
    await expect(page.get_by_label("Assignee")).to_contain_text("Agnes Agent (me)")

    await page.locator("body").press("r")
    await page.keyboard.type("Hello Tom, sadly not at the moment.")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".message-user .message-text")).to_have_text("Hello Tom, sadly not at the moment.")
    await expect(page.get_by_label("Your reply")).to_have_value("")
    answer = await shop.answer_to("tom@over.example", 2)
    assert "sadly not at the moment" in answer.text

    await page.get_by_role("button", name="Give back to the AI").click()
    await expect(page.get_by_text("Agnes Agent gave the ticket to the AI.")).to_be_visible()
    await expect(page.get_by_role("button", name="Take over")).to_be_visible()


async def test_a_note_is_seen_inside_only(shop: Shop, agent: BrowserContext) -> None:
    await shop.write("Nora Note", "nora@note.example", "Job", "Do you have an opening for a gardener in Porto?")
    page = await open_ticket(agent, shop, "nora@note.example", handoff="queue")
    await page.locator("body").press("n")
    await page.keyboard.type("She called yesterday.")
    await page.get_by_role("button", name="Add note").click()
    note = page.locator(".message-note")
    await expect(note).to_contain_text("She called yesterday.")
    await expect(note).to_contain_text("Agnes Agent")
    await expect(note.locator(".delivery")).to_have_count(0)


async def test_a_draft_outlives_the_page_and_a_failed_send_goes_out_once(shop: Shop, agent: BrowserContext) -> None:
    await shop.write("Dora Draft", "dora@draft.example", "Job", "Do you have an opening for a baker in Faro?")
    page = await open_ticket(agent, shop, "dora@draft.example", handoff="queue")
    await page.get_by_label("Your reply").fill("Hello Dora, we will look.")
    await page.reload()
    await expect(page.get_by_label("Your reply")).to_have_value("Hello Dora, we will look.")

    taken: list[str | None] = []

    async def lose_the_answer(route) -> None:  # type: ignore[no-untyped-def]
        taken.append(await route.request.header_value("idempotency-key"))
        if len(taken) == 1:
            await route.fetch()  # the server does it, and we never hear of it
            await route.abort("connectionreset")
        else:
            await route.continue_()

    await page.route("**/replies", lose_the_answer)
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_role("alert").filter(has_text="cannot be reached")).to_be_visible()
    await expect(page.get_by_label("Your reply")).to_have_value("Hello Dora, we will look.")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_label("Your reply")).to_have_value("")
    assert len(taken) == 2
    assert taken[0] == taken[1]
    await page.reload()
    await expect(page.locator(".message-user")).to_have_count(1)


async def test_files_go_out_with_the_reply(shop: Shop, agent: BrowserContext) -> None:
    await shop.write("Fay File", "fay@file.example", "Job", "Do you have an opening for a tailor in Evora?")
    page = await open_ticket(agent, shop, "fay@file.example", handoff="queue")
    await page.locator("input[type=file]").set_input_files(
        {"name": "plan.txt", "mimeType": "text/plain", "buffer": b"the plan"}
    )
    await expect(page.locator(".composer .file")).to_contain_text("plan.txt")
    await page.get_by_label("Your reply").fill("Here is the plan.")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".message-user .file")).to_contain_text("plan.txt")
    answer = await shop.answer_to("fay@file.example", 2)
    assert [(name, content) for name, content in answer.attachments] == [("plan.txt", b"the plan")]


async def test_a_ticket_can_be_begun_and_a_message_passed_on(shop: Shop, agent: BrowserContext) -> None:
    page = await agent.new_page()
    await page.goto("/inbox/open")
    await page.get_by_role("button", name="New ticket").click()
    dialog = page.get_by_role("dialog", name="New ticket")
    await dialog.get_by_label("To", exact=True).fill("nell@new.example")
    await dialog.get_by_label("Subject").fill("Your repair")
    await dialog.get_by_label("Message").fill("Your boots are ready.")
    await dialog.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("heading", level=1, name="Your repair")).to_be_visible()
    first = await shop.answer_to("nell@new.example")
    assert "Your boots are ready." in first.text

    await shop.write(
        "Nell", "nell@new.example", "Re: Your repair", "Do you stock crampons in Madeira?", answering=first
    )
    await page.get_by_role("button", name="Forward").click()
    dialog = page.get_by_role("dialog", name="Forward")
    await dialog.get_by_label("To", exact=True).fill("workshop@elsewhere.example")
    await dialog.get_by_role("button", name="Forward").click()
    await expect(page.get_by_role("heading", level=1, name="Fwd: Your repair")).to_be_visible()
    assert "crampons" in (await shop.answer_to("workshop@elsewhere.example")).text


async def test_the_html_of_a_stranger_runs_nothing_and_loads_nothing_unasked(shop: Shop, agent: BrowserContext) -> None:
    import aiosmtplib

    await aiosmtplib.send(
        HTML_MAIL.encode(), sender="nina@pictures.example", recipients=["support@fernweh.example"],
        hostname="127.0.0.1", port=shop.house.smtp_port,
    )  # fmt: skip
    page = await open_ticket(agent, shop, "nina@pictures.example")
    asked: list[str] = []
    await page.route(
        "https://tracker.pictures.example/**", lambda route: (asked.append(route.request.url), route.abort())[1]
    )
    await page.get_by_role("button", name="Show as sent").click()
    frame = page.frame_locator(".mail-frame iframe")
    await expect(frame.locator("b")).to_have_text("blue")
    await expect(page.get_by_text("1 remote image blocked")).to_be_visible()
    assert asked == []
    async with page.expect_request("https://tracker.pictures.example/pixel.png"):
        await page.get_by_role("button", name="Load images").click()
    assert await page.title() != "taken"
    assert "allow-scripts" not in (await page.locator(".mail-frame iframe").get_attribute("sandbox") or "")


async def test_the_keyboard_alone_finds_and_opens_a_ticket(shop: Shop, agent: BrowserContext) -> None:
    await shop.write("Kay Keys", "kay@keys.example", "Zeppelin mooring", "Do you moor a zeppelin for the winter?")
    await shop.ticket_of("kay@keys.example")
    page = await agent.new_page()
    await page.goto("/inbox/open")
    await expect(page.locator("a.row").first).to_be_visible()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("/")
    await page.keyboard.type("zeppelin")
    await expect(page.locator("a.row")).to_have_count(1)
    await page.get_by_role("searchbox").blur()
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1, name="Zeppelin mooring")).to_be_visible()
    assert "q=zeppelin" in page.url


async def test_arabic_turns_the_page_around(shop: Shop, browser: Browser) -> None:
    context = await browser.new_context(base_url=shop.url, locale="en-GB", viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    await page.goto("/")
    await page.get_by_role("button", name="العربية").click()
    await expect(page.get_by_role("heading", level=1, name="تسجيل الدخول")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("dir", "rtl")
    await sign_in(context, shop)
    await page.goto("/inbox/open")
    await expect(page.get_by_role("heading", level=1, name="كل المفتوحة")).to_be_visible()
    sidebar = await page.locator(".sidebar").bounding_box()
    rows = await page.locator(".list-column").bounding_box()
    assert sidebar is not None
    assert rows is not None
    assert sidebar["x"] > rows["x"]
    await context.close()


async def test_a_phone_shows_the_list_or_the_ticket(shop: Shop, browser: Browser) -> None:
    await shop.write("Phil Phone", "phil@phone.example", "On the road", "Do you sell solar kayaks in Braga?")
    ticket = await shop.ticket_of("phil@phone.example")
    context = await browser.new_context(
        base_url=shop.url, locale="en-GB", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    await sign_in(context, shop)
    page = await context.new_page()
    await page.goto("/inbox/open")
    await page.locator("a.row", has_text="Phil Phone").tap()
    await expect(page.get_by_role("heading", level=1, name=ticket["subject"])).to_be_visible()
    await expect(page.locator(".list-column")).to_be_hidden()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("link", name="Back to the list").tap()
    await expect(page.locator(".list-column")).to_be_visible()
    await context.close()


@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_nothing_stands_in_the_way_of_assistive_technology(shop: Shop, browser: Browser, colours: str) -> None:
    address = f"ada-{colours}@access.example"
    await shop.write("Ada Access", address, "Rückgabe", "Guten Tag, wie kann ich einen Artikel zurückgeben?")
    await shop.answer_to(address)
    ticket = await shop.ticket_of(address)
    context = await browser.new_context(
        base_url=shop.url, locale="en-GB", color_scheme=colours,  # type: ignore[arg-type]
        viewport={"width": 1440, "height": 900}, reduced_motion="reduce",
    )  # fmt: skip
    page = await context.new_page()
    await page.goto("/")
    await expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
    found = {"sign-in": await violations(page)}
    await sign_in(context, shop)
    await page.goto("/inbox/open")
    await expect(page.locator("a.row").first).to_be_visible()
    found["inbox"] = await violations(page)
    await page.goto(f"/inbox/open/{ticket['id']}")
    await expect(page.locator(".message").nth(1)).to_be_visible()
    found["ticket"] = await violations(page)
    await page.locator("body").press("?")
    found["help"] = await violations(page)
    assert found == {name: [] for name in found}
    await context.close()
