"""The demo installation as visitors meet it, for tests in a browser: its processes, its logins, its customers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from channels.email.fake import CustomerMailbox, Delivered, read_ledger
from tests.house import ROOT, House, until, until_async

CHROMIUM = os.environ.get("AUTOCRM_CHROMIUM", "/usr/bin/chromium")
SUPPORT = "support@fernweh.example"
AGENT = "agnes@fernweh.example"

_SEED = """
import asyncio
from ai.embedding import embed_missing
from ai.providers.vectors import LocalEmbedder
from app.demo.seed import seed_demo

async def seed() -> None:
    await seed_demo()
    await embed_missing(LocalEmbedder())

asyncio.run(seed())
"""


@dataclass
class Shop:
    """A running demo."""

    house: House
    data: Path
    password: str
    mails: int = field(default=0)

    @property
    def url(self) -> str:
        return self.house.url

    async def write(
        self, name: str, address: str, subject: str, text: str, *, answering: Delivered | None = None
    ) -> str:
        """A customer's mail, handed to the receiver; returns its Message-ID."""
        mailbox = CustomerMailbox(address, name)
        mail = mailbox.compose(SUPPORT, subject, text, answering=answering)
        return await mailbox.write("127.0.0.1", self.house.smtp_port, mail)

    async def answer_to(self, address: str, count: int = 1) -> Delivered:
        """The newest mail that this customer has got, once there are `count`."""
        path = self.data / "demo" / "email" / "mail-ledger.jsonl"

        def got() -> list[Delivered] | None:
            mails = [mail for mail in read_ledger(path) if address in mail.rcpt_to]
            return mails if len(mails) >= count else None

        return (await until(got, f"{count} mails for {address}"))[-1]

    async def ticket_of(self, address: str, **wanted: str) -> dict[str, Any]:
        """The ticket of this customer, once it has these values."""
        async with self.signed_in() as api:

            async def look() -> dict[str, Any] | None:
                items = (await api.get("/api/v1/tickets")).json()["items"]
                for item in items:
                    if item["contact"]["address"] == address and all(item[k] == v for k, v in wanted.items()):
                        return dict(item)
                return None

            return await until_async(look, f"the ticket of {address} with {wanted}")  # type: ignore[return-value]

    async def lab(self) -> dict[str, str]:
        """The accounts of the lab by their channels."""
        async with self.signed_in() as api:

            async def look() -> dict[str, str] | None:
                answer = await api.get("/api/v1/lab/channels")
                if answer.status_code != 200:
                    return None  # the gateway still starts its providers
                return {one["channel"]: one["account_id"] for one in answer.json()["items"]}

            return await until_async(look, "the lab answers")  # type: ignore[return-value]

    async def act(self, account_id: str, **act: Any) -> str:
        """Does something as a customer, without a browser; returns the line's id."""
        async with self.signed_in() as api:
            answer = await api.post(f"/api/v1/lab/{account_id}/acts", json=act)
            assert answer.status_code == 202, answer.text
            return str(answer.json()["id"])

    async def line(self, account_id: str, who: str, text: str, **wanted: str) -> dict[str, Any]:
        """The first line that this customer has got which holds `text` and has these values, once it is there."""
        async with self.signed_in() as api:

            async def look() -> dict[str, Any] | None:
                lines = (await api.get(f"/api/v1/lab/{account_id}/lines", params={"who": who})).json()["items"]
                for one in lines:
                    if not one["mine"] and text in one["text"] and all(one[k] == v for k, v in wanted.items()):
                        return dict(one)
                return None

            return await until_async(look, f"{who} gets {text!r}", 60)  # type: ignore[return-value]

    @asynccontextmanager
    async def signed_in(self, email: str = AGENT) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(base_url=self.url, headers={"Origin": self.url}) as client:
            answer = await client.post("/api/v1/session", json={"email": email, "password": self.password})
            answer.raise_for_status()
            yield client

    async def answers_again(self) -> None:
        """Waits until the web server answers."""

        async def probe() -> bool:
            async with httpx.AsyncClient() as client:
                try:
                    return (await client.get(f"{self.url}/api/v1/ready")).status_code == 200
                except httpx.HTTPError:
                    return False

        await until_async(probe, f"the web server answers: {self.house.log('api')[-2000:]}")


@contextmanager
def demo(environment: dict[str, str], folder: Path) -> Iterator[Shop]:
    """Seeds a demo into the servers that `environment` names and starts its parts."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-c", _SEED], cwd=ROOT, env={**os.environ, **environment}, check=True, timeout=120)
    data = Path(environment["AUTOCRM_DATA"])
    shop = Shop(House(environment, folder), data, (data / "keys" / "demo-login").read_text())
    try:
        for part in ("api", "worker", "gateway"):
            shop.house.start(part)
        asyncio.run(shop.house.until_open(shop.house.smtp_port, "gateway"))
        asyncio.run(shop.answers_again())
        asyncio.run(shop.lab())
        yield shop
    finally:
        shop.house.stop()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's own browser; nothing is downloaded."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            # A page that a test has changed on its way counts as one of the public net, from which loopback is barred.
            args=["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-features=LocalNetworkAccessChecks"],
        )
        try:
            yield browser
        finally:
            await browser.close()


async def sign_in(context: BrowserContext, shop: Shop, email: str = AGENT) -> None:
    """Gives the context a session, without the page."""
    answer = await context.request.post(
        f"{shop.url}/api/v1/session",
        data=json.dumps({"email": email, "password": shop.password}),
        headers={"Content-Type": "application/json", "Origin": shop.url},
    )
    assert answer.ok, await answer.text()


async def violations(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 A and AA on the page as it stands, shadow trees included."""
    # By the debugger, not by a script tag: the page's own policy stays as it is.
    await page.evaluate((ROOT / "web/node_modules/axe-core/axe.min.js").read_text())
    found = await page.evaluate(
        """async () => (await axe.run(document, {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
        })).violations"""
    )
    return [
        f"{one['id']}: {node['target']} {node['any'][0]['message'] if node['any'] else one['help']}"
        for one in found
        for node in one["nodes"]
    ]
