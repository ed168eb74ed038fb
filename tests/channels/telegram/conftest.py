"""A fake Telegram, and the house's door: raws are stored once, together with the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from channels.contract import Cursor, Inbound, Malformed, MessageReceived, Peer, RawInbound, Stored, Unverified
from channels.social.telegram.adapter import Channel
from channels.social.telegram.harness import Harness
from channels.social.telegram.settings import Mode


class House:
    """Keeps raws by their external id and the newest cursor; `failing` is how many times it refuses to store."""

    def __init__(self, telegram: Harness, **settings: Any) -> None:
        self.telegram = telegram
        self.settings = telegram.with_settings(**settings)
        self.raws: dict[str, RawInbound] = {}
        self.cursor: Cursor = {}
        self.batches: list[list[str]] = []
        self.refused = 0
        self.failing = 0
        self.opted_out = False
        self.changed = asyncio.Condition()
        self.url = ""
        self._runner: web.AppRunner | None = None

    def adapter(self) -> Channel:
        adapter: Channel = self.telegram.adapter(self.settings, self.cursor)
        return adapter

    async def sink(self, raws: Sequence[RawInbound], cursor: Cursor | None = None) -> Stored:
        async with self.changed:
            self.batches.append([one.external_id for one in raws])
            self.changed.notify_all()
            if self.failing:
                self.failing -= 1
                raise RuntimeError("the database is away")
            new = {one.external_id: one for one in raws if one.external_id not in self.raws}
            self.raws.update(new)
            if cursor is not None:
                self.cursor = cursor
            return Stored.STORED if new else Stored.DUPLICATE

    async def holds(self, count: int) -> None:
        """Returns when so many raws are stored."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.raws) >= count)

    def events(self) -> list[Inbound]:
        adapter = self.adapter()
        return [event for raw in self.raws.values() for event in events_of(adapter, raw)]

    def texts(self) -> list[str]:
        return [one.text for one in self.events() if isinstance(one, MessageReceived)]

    # ------------------------------------------------------------------ the webhook route

    async def open(self) -> None:
        app = web.Application()
        app.router.add_post("/hooks/telegram/account-1", self._hook)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _hook(self, request: web.Request) -> web.Response:
        adapter = self.adapter()
        raw = RawInbound(
            external_id="",
            body=await request.read(),
            content_type=request.headers.get("content-type", ""),
            headers={name.lower(): value for name, value in request.headers.items()},
            transport={"url": str(request.url)},
        )
        try:
            adapter.verify(raw)
        except Unverified:
            async with self.changed:
                self.refused += 1
                self.changed.notify_all()
            return web.Response(status=403)
        events = events_of(adapter, raw)
        try:
            await self.sink([adapter.identify(raw, events)])
        except RuntimeError:
            return web.Response(status=503)
        reply = adapter.respond(raw, events, Peer(opted_out=self.opted_out))
        return web.Response(status=reply.status, body=reply.body, headers={"Content-Type": reply.content_type})


def events_of(adapter: Channel, raw: RawInbound) -> Sequence[Inbound]:
    try:
        return adapter.parse(raw)
    except Malformed:
        return ()


@asynccontextmanager
async def listening(house: House) -> AsyncIterator[asyncio.Task[None]]:
    """An adapter that listens as the house has it: built with the cursor that is stored, closed at the end."""
    adapter = house.adapter()
    task = asyncio.create_task(adapter.listen(house.sink))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
        await adapter.aclose()


@pytest.fixture
async def telegram(tmp_path: Path) -> AsyncIterator[Harness]:
    harness = Harness(tmp_path)
    harness.fake.methods.plain_http = True
    await harness.start()
    yield harness
    await harness.stop()


@pytest.fixture
def house(telegram: Harness) -> House:
    return House(telegram)


@pytest.fixture
async def called(telegram: Harness) -> AsyncIterator[House]:
    """A house in webhook mode whose address Telegram has been told."""
    one = House(telegram, mode=Mode.WEBHOOK)
    await one.open()
    yield one
    await one.close()
