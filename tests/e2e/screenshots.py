"""Pictures of the demo for the documentation: `python -m tests.e2e.screenshots [NAME …]`.

Starts a demo of its own, lets customers write, and writes `docs/screenshots/<what>-<how>.png`.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

from playwright.async_api import Browser, Page, expect

from app.embedded import Postgres, Valkey
from core.migrate import migrate
from tests.e2e.shop import Shop, chromium, demo, sign_in
from tests.house import ROOT
from tests.speech import speech_model

TARGET = ROOT / "docs" / "screenshots"
BYTES_MAX = 200_000
CALLER = "+442079460071"
"""The number of Jane, whom the lab has ready."""
MAILS = [
    ("Jens Krüger", "jens@kunde.example", "Rücksendung", "Guten Tag,\n\nwie kann ich einen Artikel zurückgeben?\n\nViele Grüße\nJens Krüger"),
    ("佐藤 葵", "aoi@kokyaku.example", "パスワードについて", "パスワードを忘れてしまいました。どうすれば再設定できますか。"),
    ("ليلى حداد", "layla@amil.example", "استرداد المبلغ", "مرحبًا،\n\nأعدت السترة قبل أسبوع. متى أسترد المبلغ؟\n\nشكرًا\nليلى"),
    ("Ana Morales", "ana@cliente.example", "¿Dónde está mi paquete?", "Hola:\n\n¿Cómo puedo hacer el seguimiento de mi pedido?\n\nGracias,\nAna"),
    ("Tom Baker", "tom@customer.example", "Job", "Hello, do you have an opening for an accountant in your Lisbon office?"),
    ("Jane Doe", "jane@customer.example", "Sending a tent back", "Hello,\n\nthe tent does not suit me. How do I return an item?\n\nThanks\nJane"),
]  # fmt: skip
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1440, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "device_scale_factor": 2},
    "rtl": {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}, "locale": "ar"},
}


async def _save(page: Page, name: str) -> None:
    path = TARGET / f"{name}.png"
    await page.wait_for_timeout(400)  # the last transition; a picture, not a test
    await page.screenshot(path=path, animations="disabled")
    if path.stat().st_size > BYTES_MAX:
        # Fewer colours than a screen has are enough for a picture of one.
        await page.screenshot(path=path, animations="disabled", scale="css")
    print(f"{path.relative_to(ROOT)} {path.stat().st_size // 1000} kB")  # noqa: T201


async def _look(browser: Browser, shop: Shop, how: str, wanted: set[str]) -> None:
    context = await browser.new_context(base_url=shop.url, **{"locale": "en-GB", **LOOKS[how]})  # type: ignore[arg-type]
    await sign_in(context, shop)
    if how == "rtl":
        await context.add_init_script("localStorage.setItem('autocrm.language', 'ar')")
    page = await context.new_page()
    ticket = (await shop.ticket_of("jane@customer.example"))["id"]
    if "inbox" in wanted:
        await page.goto("/inbox/open")
        await expect(page.locator("a.row").nth(4)).to_be_visible()
        await _save(page, f"inbox-{how}")
    if "ticket" in wanted:
        await page.goto(f"/inbox/open/{ticket}")
        await expect(page.locator(".message").nth(1)).to_be_visible()
        await _save(page, f"ticket-{how}")
    if "lab" in wanted:
        who = "layla" if how == "rtl" else "jens"
        await page.goto(f"/lab?on={(await shop.lab())['slack']}&as={who}")
        await expect(page.locator(".line").nth(1)).to_be_visible()
        await _save(page, f"lab-{how}")
    if "telephone" in wanted:
        await page.goto(f"/lab?on={(await shop.lab())['voice']}&as=jane")
        await expect(page.locator(".said[data-mine]")).to_be_visible()
        await _save(page, f"telephone-{how}")
    if "call" in wanted:
        call = (await shop.ticket_of(CALLER))["id"]
        await page.goto(f"/inbox/open/{call}")
        await expect(page.locator(".transcript").first).to_be_visible()
        await page.locator(".timeline-scroll").evaluate("(element) => element.scrollTo(0, 0)")
        await page.locator(".waveform").first.click()
        await _save(page, f"call-{how}")
    if "widget" in wanted:
        if how == "rtl":
            await page.route("**/demo/", lambda route: _in_arabic(route, shop))
        await page.goto("/demo/")
        await page.locator("autocrm-widget .launcher").click()
        field = page.locator("autocrm-widget textarea")
        await field.fill("متى أسترد المبلغ؟" if how == "rtl" else "How do I return an item?")
        await field.press("Enter")
        await expect(page.locator("autocrm-widget .message.ai")).to_be_visible(timeout=20_000)
        await _save(page, f"widget-{how}")
    await context.close()


async def _in_arabic(route, shop: Shop) -> None:  # type: ignore[no-untyped-def]
    answer = await route.fetch()
    body = (await answer.text()).replace('<html lang="en">', '<html lang="ar" dir="rtl">')
    await route.fulfill(response=answer, body=body)


async def _pictures(shop: Shop, wanted: set[str]) -> None:
    for name, address, subject, text in MAILS:
        await shop.write(name, address, subject, text)
        await shop.answer_to(address)
    async with shop.signed_in() as api:
        tickets = (await api.get("/api/v1/tickets")).json()["items"]
        jane = next(one for one in tickets if one["contact"]["address"] == "jane@customer.example")
        await api.post(
            f"/api/v1/tickets/{jane['id']}/notes", json={"text": "A loyal customer: third tent in two years."}
        )
        await api.post(f"/api/v1/tickets/{jane['id']}/handoff", json={"to": "human"})
        await api.post(
            f"/api/v1/tickets/{jane['id']}/replies",
            json={
                "text": "Hello Jane,\n\nAgnes here. I have put a prepaid label into your account, so you need not print one.\n\nKind regards\nAgnes"
            },
        )
    await shop.answer_to("jane@customer.example", 2)
    await _act_in_the_lab(shop)
    async with chromium() as browser:
        for how in LOOKS:
            await _look(browser, shop, how, wanted)


async def _act_in_the_lab(shop: Shop) -> None:
    """Two conversations in a workspace, and a call that is still going on."""
    accounts = await shop.lab()
    chat, telephone = accounts["slack"], accounts["voice"]
    await shop.act(
        chat, verb="write", who="jens", name="Jens Krüger", text="Hallo, wo sehe ich, wann mein Paket ankommt?"
    )
    await shop.act(
        chat, verb="write", who="layla", name="ليلى حداد", text="مرحبًا، أعدت السترة قبل أسبوع. متى أسترد المبلغ؟"
    )
    for who in ("jens", "layla"):
        await shop.line(chat, who, "")
    await shop.act(telephone, verb="call", who=CALLER, name="Jane Doe")
    await shop.line(telephone, CALLER, "tone", state="listening")
    recording = base64.b64encode((ROOT / "app/demo/site/recordings/return-a-tent.wav").read_bytes()).decode()
    file = {"filename": "return-a-tent.wav", "content_type": "audio/wav", "content": recording}
    await shop.act(telephone, verb="speak", who=CALLER, files=[file])
    await shop.line(telephone, CALLER, "next question", state="listening")


def main() -> None:
    wanted = set(sys.argv[1:]) or {"inbox", "ticket", "lab", "telephone", "call", "widget"}
    TARGET.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="autocrm-pictures-"))
    folder.chmod(0o755)
    postgres, valkey = Postgres(folder / "servers", fsync=False), Valkey(folder / "servers")
    try:
        (folder / "servers").mkdir()
        url, redis_url = postgres.start(), valkey.start()
        migrate(url)
        environment = {
            "DATABASE_URL": url,
            "REDIS_URL": redis_url,
            "AUTOCRM_REDIS_NAMESPACE": f"p{uuid4().hex[:8]}",
            "AUTOCRM_DATA": str(folder / "data"),
            "AUTOCRM_MODE": "demo",
            "AUTOCRM_SPEECH_MODEL": speech_model(),
        }
        with demo(environment, folder / "logs") as shop:
            asyncio.run(_pictures(shop, wanted))
    finally:
        postgres.stop()
        valkey.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
