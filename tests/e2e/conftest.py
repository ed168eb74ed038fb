"""One demo installation for all tests in a browser; each test has customers of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Browser, BrowserContext

from tests.conftest import Servers
from tests.e2e.shop import CHROMIUM, Shop, chromium, demo, sign_in
from tests.house import ROOT

NEEDED = {
    "the browser": Path(CHROMIUM),
    "the built inbox (npm run build in web/)": ROOT / "web/dist/index.html",
    "the built widget (npm run build in widget/)": ROOT / "widget/dist/widget.js",
}


@pytest.fixture(scope="session")
def shop(servers: Servers, whisper: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    for name, path in NEEDED.items():
        if not path.exists():
            if os.environ.get("CI") == "true":
                pytest.fail(f"{name} is missing: {path}")
            pytest.skip(f"{name} is missing: {path}; tests in a browser are skipped")
    folder = tmp_path_factory.mktemp("demo")
    url = servers.create_database()
    environment = {
        "DATABASE_URL": url,
        "REDIS_URL": servers.redis_url,
        "AUTOCRM_REDIS_NAMESPACE": f"t{uuid4().hex[:12]}",
        "AUTOCRM_DATA": str(folder / "data"),
        "AUTOCRM_MODE": "demo",
        "AUTOCRM_SPEECH_MODEL": whisper,
    }
    with demo(environment, folder / "logs") as made:
        yield made
    servers.drop_database(url)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as launched:
        yield launched


@pytest.fixture
async def agent(shop: Shop, browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser in which Agnes Agent is signed in."""
    context = await browser.new_context(base_url=shop.url, locale="en-GB", viewport={"width": 1440, "height": 900})
    context.set_default_timeout(15_000)
    await sign_in(context, shop)
    yield context
    await context.close()
