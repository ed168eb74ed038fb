"""A fake Slack, and the house's door as the webhook route is built: verify, store once, then answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from aiohttp import web

from channels.contract import Cursor, Inbound, Malformed, Peer, RawInbound, Stored, Unverified
from channels.social.slack.adapter import Channel
from channels.social.slack.harness import Harness


class House:
    """Keeps raws by their external id; `failing` is how many times it refuses to store."""

    def __init__(self, adapter: Channel) -> None:
        self.adapter = adapter
        self.raws: dict[str, RawInbound] = {}
        self.received = 0
        self.refused = 0
        self.failing = 0
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/hooks/slack/account-1", self._hook)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hooks/slack/account-1"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _hook(self, request: web.Request) -> web.Response:
        raw = RawInbound(
            external_id="",
            body=await request.read(),
            content_type=request.headers.get("content-type", ""),
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        try:
            self.adapter.verify(raw)
        except Unverified:
            self.refused += 1
            return web.Response(status=403)
        events = events_of(self.adapter, raw)
        try:
            await self.sink([self.adapter.identify(raw, events)])
        except RuntimeError:
            return web.Response(status=503)
        reply = self.adapter.respond(raw, events, Peer())
        return web.Response(status=reply.status, body=reply.body, headers={"Content-Type": reply.content_type})

    async def sink(self, raws: Sequence[RawInbound], cursor: Cursor | None = None) -> Stored:
        self.received += 1
        if self.failing:
            self.failing -= 1
            raise RuntimeError("the database is away")
        new = [one for one in raws if one.external_id not in self.raws]
        self.raws.update({one.external_id: one for one in new})
        return Stored.STORED if new else Stored.DUPLICATE

    def events(self) -> list[Inbound]:
        """What all stored raws say, in the order of their arrival."""
        return [event for raw in self.raws.values() for event in events_of(self.adapter, raw)]


def events_of(adapter: Channel, raw: RawInbound) -> Sequence[Inbound]:
    try:
        return adapter.parse(raw)
    except Malformed:
        return ()


@pytest.fixture
async def slack(tmp_path: Path) -> AsyncIterator[Harness]:
    harness = Harness(tmp_path)
    await harness.start()
    yield harness
    await harness.stop()


@pytest.fixture
async def house(slack: Harness) -> AsyncIterator[House]:
    """Slack's requests come here."""
    one = House(slack.adapter())
    await one.start()
    slack.fake.events.hooks_at(one.url)
    yield one
    await one.stop()
